import { once } from "node:events";
import { describe, expect, test } from "vitest";
import { createEventBus, type EventBusOptions, type SessionEntry } from "session-progress";
import { followOverWebSocket, type WebSocketLike, type WebSocketOptions } from "session-progress/websocket";
import { collect } from "session-progress/testing";
import { WebSocket } from "ws";
import { cleanups } from "../../support/cleanups.ts";
import { nextTurn } from "../../support/event-loop.ts";
import { eventually } from "../../support/eventually.ts";
import { serveWebSockets } from "../../support/websocket-server.ts";

const cleanUp = cleanups();

/** A real server whose every connection follows session `s`. */
async function setUp(options: WebSocketOptions = {}, busOptions?: EventBusOptions) {
  const bus = createEventBus(busOptions);
  const { server, origin } = await serveWebSockets();
  server.on("connection", (socket, request) => {
    const after = new URL(request.url!, "http://localhost").searchParams.get("after") ?? undefined;
    followOverWebSocket(bus, "s", socket, { after, ...options });
  });
  cleanUp(async () => {
    await bus.close();
    for (const client of server.clients) client.terminate();
    server.close();
  });
  const follow = (after = ""): Client => {
    const url = `${origin}/?after=${after}`;
    const client = new Client(new WebSocket(url));
    cleanUp(() => client.socket.terminate());
    return client;
  };
  return { bus, server, follow };
}

class Client {
  readonly socket: WebSocket;
  readonly entries: SessionEntry[] = [];
  readonly closed: Promise<[code: number, reason: string]>;

  constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on("error", () => {});
    socket.on("message", (message: Buffer) => this.entries.push(JSON.parse(message.toString())));
    this.closed = new Promise((resolve) => {
      socket.on("close", (code, reason) => resolve([code, String(reason)]));
    });
  }

  async has(count: number): Promise<SessionEntry[]> {
    await eventually(`${count} messages`, () => this.entries.length >= count);
    return this.entries;
  }

  get summary(): string[] {
    return this.entries.map(({ id, event }) => {
      const { t, msg, missed, reason, resume } = event as unknown as Record<string, string | undefined>;
      return [id.split("-")[1], t, msg ?? reason ?? resume, missed]
        .filter((part) => part !== undefined)
        .join(" ");
    });
  }
}

/** A socket with as little as Bun's. */
function bareSocket() {
  const sent: string[] = [];
  const closed: unknown[] = [];
  const socket = {
    bufferedAmount: 0,
    send: (message: string) => void sent.push(message),
    close: (...args: unknown[]) => void closed.push(args),
  } satisfies WebSocketLike;
  return { socket, sent, closed };
}

// No test waits for time to pass; the limit is for machines that are busy with something else.
describe("followOverWebSocket", () => {
  test("one message an entry, the same JSON as on the event stream, then a close", async () => {
    const { bus, follow } = await setUp();
    const client = follow();
    await client.has(1);
    bus.publish("s", { message: "one", progress: 1, total: 2, agent: "codesmith" });
    bus.end("s", { message: "bye" });
    expect(await client.closed).toEqual([1000, "end"]);
    expect(client.summary).toEqual(["0 ready fresh", "1 agent_event one", "2 session_end bye"]);
    expect(client.entries[1]!.event).toMatchObject({ agent: "codesmith", pct: 0.5, progress: 1, total: 2 });
    expect(bus.stats().followers).toBe(0);
  });

  test("resumes after an id, and says so when the id means nothing", async () => {
    const { bus, follow } = await setUp();
    for (const message of ["one", "two", "three"]) bus.publish("s", { message });
    const first = follow();
    const seen = (await first.has(4))[2]!.id;
    const second = follow(seen);
    await second.has(2);
    expect(second.summary).toEqual(["2 ready resumed", "3 agent_event three"]);
    const third = follow("17-3");
    await third.has(5);
    expect(third.summary).toEqual([
      "0 ready reset",
      "0 gap reset",
      "1 agent_event one",
      "2 agent_event two",
      "3 agent_event three",
    ]);
  });

  test("whoever has seen the end is told that it was the end", async () => {
    const { bus, follow } = await setUp();
    bus.publish("s", { message: "one" });
    bus.end("s");
    const first = follow();
    await first.closed;
    const again = follow(first.entries.at(-1)!.id);
    expect(await again.closed).toEqual([1000, "end"]);
    expect(again.entries).toEqual([]);
  });

  test("a filter moves the cursor silently", async () => {
    const { bus, follow } = await setUp({ filter: (event) => event.agent === "a" });
    const client = follow();
    await client.has(1);
    for (const agent of ["a", "b", "a"]) bus.publish("s", { agent, message: agent });
    await client.has(3);
    expect(client.summary).toEqual(["0 ready fresh", "1 agent_event a", "3 agent_event a"]);
  });

  test("a client that stops reading costs bounded memory and gets exact sums later", async () => {
    const { bus, server, follow } = await setUp();
    const client = follow();
    await client.has(1);
    client.socket.pause();
    const [peer] = server.clients;
    let highest = 0;
    for (let turn = 0; turn < 200; turn++) {
      for (let i = 0; i < 500; i++) bus.publish("s", { message: "x".repeat(500), agent: `a${i % 3}` });
      await nextTurn();
      highest = Math.max(highest, peer!.bufferedAmount);
    }
    expect(highest).toBeLessThan(1.5 * 1024 * 1024);
    client.socket.resume();
    bus.end("s");
    await client.closed;
    const received = client.entries.filter(({ event }) => event.t !== "gap").length - 1;
    const missed = client.entries.reduce(
      (sum, { event }) => sum + (event.t === "gap" ? event.missed! : 0),
      0,
    );
    expect(missed).toBeGreaterThan(0);
    expect(received + missed).toBe(200 * 500 + 1);
  });

  test("a client that never reads again is cut off at the deadline", async () => {
    const { bus, server, follow } = await setUp({ writeDeadlineMs: 50 });
    const client = follow();
    await client.has(1);
    client.socket.pause();
    const gone = new Promise((resolve) => [...server.clients][0]!.on("close", resolve));
    while (bus.stats().followers > 0) {
      for (let i = 0; i < 500; i++) bus.publish("s", { message: "x".repeat(500) });
      await nextTurn();
    }
    await gone;
  });

  test("disconnect and close tell the client to come back", async () => {
    const { bus, follow } = await setUp({ request: "mine" });
    const first = follow();
    await first.has(1);
    bus.disconnect("s", (request) => request === "other");
    bus.disconnect("s", (request) => request === "mine");
    expect(await first.closed).toEqual([4000, "reconnect"]);
    const second = follow();
    await second.has(1);
    await bus.close();
    expect(await second.closed).toEqual([4001, "closing"]);
    expect(await follow().closed).toEqual([4001, "closing"]);
  });

  test("more followers than allowed are turned away", async () => {
    const { follow } = await setUp({}, { maxFollowersPerSession: 1 });
    await follow().has(1);
    expect(await follow().closed).toEqual([4029, "too many followers"]);
  });

  test("a client that leaves leaves nothing", async () => {
    const { bus, follow } = await setUp();
    const client = follow();
    await client.has(1);
    client.socket.terminate();
    await eventually("no followers", () => bus.stats().followers === 0);
    bus.publish("s", { message: "to nobody" });
  });

  test("a client that left before it was attached is not followed", async () => {
    const bus = createEventBus();
    const { server, origin } = await serveWebSockets();
    cleanUp(() => server.close());
    const connected = once(server, "connection") as Promise<[WebSocket]>;
    const client = new WebSocket(origin);
    client.on("error", () => {});
    const [socket] = await connected;
    client.terminate();
    await once(socket, "close");
    const stop = followOverWebSocket(bus, "s", socket);
    expect(bus.stats().followers).toBe(0);
    stop();
  });

  test.each([2, 3])("a socket in readyState %i is not followed, nor written to", (readyState) => {
    const bus = createEventBus();
    const { socket, sent, closed } = bareSocket();
    bus.publish("s", { message: "one" });
    followOverWebSocket(bus, "s", { ...socket, readyState });
    expect(bus.stats().followers).toBe(0);
    expect([sent, closed]).toEqual([[], []]);
  });

  test("nothing is sent after the close when a filter disconnects its own client", async () => {
    const bus = createEventBus();
    const did: string[] = [];
    const socket = {
      send: (message: string) => void did.push((JSON.parse(message) as SessionEntry).event.t),
      close: (code?: number) => void did.push(`close ${code}`),
    };
    const filter = ({ msg }: { msg: string }): boolean => {
      if (msg === "bye") bus.disconnect("s");
      return true;
    };
    followOverWebSocket(bus, "s", socket, { filter });
    for (const message of ["bye", "too late"]) bus.publish("s", { message });
    await bus.flush();
    bus.publish("s", { message: "much too late" });
    bus.end("s");
    await bus.flush();
    expect(did).toEqual(["ready", "close 4000"]);
  });

  test("sockets without addEventListener are stopped by what it returns", async () => {
    const bus = createEventBus();
    const { socket, sent, closed } = bareSocket();
    const stop = followOverWebSocket(bus, "s", socket);
    bus.publish("s", { message: "one" });
    await bus.flush();
    expect(sent).toHaveLength(2);
    stop();
    stop();
    bus.publish("s", { message: "two" });
    await bus.flush();
    expect(sent).toHaveLength(2);
    expect(closed).toEqual([]);
    expect(bus.stats().followers).toBe(0);
  });

  test("a socket that throws when it is closing is let go", async () => {
    const bus = createEventBus();
    const { socket } = bareSocket();
    followOverWebSocket(bus, "s", {
      ...socket,
      send: () => {
        throw new Error("InvalidStateError");
      },
    });
    expect(bus.stats().followers).toBe(0);
    expect(bus.publish("s", { message: "one" })).toBe(true);
  });

  test("waits for a full buffer to empty, without a drain event", async () => {
    const bus = createEventBus();
    const { socket, sent } = bareSocket();
    followOverWebSocket(bus, "s", socket);
    socket.bufferedAmount = 1 << 20;
    bus.publish("s", { message: "one" });
    await bus.flush();
    const before = sent.length;
    bus.publish("s", { message: "two" });
    await bus.flush();
    expect(sent).toHaveLength(before);
    socket.bufferedAmount = 0;
    await eventually("sent", () => sent.length === before + 1);
    await bus.close();
  });

  test("a socket that is turned away and throws does not throw at the server", async () => {
    const bus = createEventBus({ maxFollowers: 1 });
    const errors: string[] = [];
    bus.on("error", (error) => errors.push(error.message));
    const throwing = (): WebSocketLike => ({
      ...bareSocket().socket,
      close: () => {
        throw new Error("closing");
      },
    });
    bus.publish("ended", { message: "one" });
    bus.end("ended");
    const [, end] = await collect(bus.follow("ended"));
    followOverWebSocket(bus, "ended", throwing(), { after: end!.id });
    followOverWebSocket(bus, "s", bareSocket().socket);
    followOverWebSocket(bus, "s", throwing());
    await bus.close();
    followOverWebSocket(bus, "s", throwing());
    expect(errors).toEqual(["closing", "closing", "closing"]);
  });

  test("what is no bus, session id, socket or option is a TypeError", () => {
    const bus = createEventBus();
    const { socket } = bareSocket();
    expect(() => followOverWebSocket({} as never, "s", socket)).toThrow("Expected `bus`");
    expect(() => followOverWebSocket(bus, "a b", socket)).toThrow("Expected `sessionId`");
    expect(() => followOverWebSocket(bus, "s", {} as never)).toThrow("Expected `socket` to be a WebSocket");
    expect(() => followOverWebSocket(bus, "s", socket, { writeDeadlineMs: 0 })).toThrow("writeDeadlineMs");
  });
});
