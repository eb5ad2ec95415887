import { expect, test } from "vitest";
import { createEventBus, type SessionEntry, type SessionEventBus } from "session-progress";
import { followOverWebSocket, type WebSocketLike } from "session-progress/websocket";
import { testWebSocket } from "../../contracts/web-socket.ts";
import { nextTurn } from "../../support/event-loop.ts";
import { eventually } from "../../support/eventually.ts";
import { serveWebSockets } from "../../support/websocket-server.ts";

testWebSocket(
  "ws",
  async (bus, options) => {
    const { server, origin } = await serveWebSockets();
    server.on("connection", (socket, request) => {
      const after = new URL(request.url!, "http://localhost").searchParams.get("after") ?? undefined;
      followOverWebSocket(bus, "s", socket, { after, ...options });
    });
    const close = (): void => {
      for (const client of server.clients) client.terminate();
      server.close();
    };
    return { origin, close };
  },
  { pings: true },
);

/** A socket that does what its runtime's does, and what was done with it. */
function socketWith<Rest extends Partial<WebSocketLike>>(rest: Rest) {
  const did: string[] = [];
  const socket = {
    readyState: 1,
    send: (message: string): unknown => void did.push((JSON.parse(message) as SessionEntry).event.t),
    close: (code?: number) => void did.push(`close ${code}`),
    ...rest,
  };
  return { socket, did };
}

/** A bus whose session `s` is followed over `socket`, after one event was reported. */
async function followed(socket: WebSocketLike, keepAliveMs?: number) {
  const bus = createEventBus();
  followOverWebSocket(bus, "s", socket, { keepAliveMs });
  bus.publish("s", { message: "one" });
  await bus.flush();
  return bus;
}

test.each([
  [
    "throws",
    () => {
      throw new Error("too large");
    },
  ],
  ["rejects", () => Promise.reject(new Error("too large"))],
])(
  "a socket whose send %s is closed, so that its client comes back; the process goes on",
  async (_, send) => {
    const { socket, did } = socketWith({ send });
    const bus = await followed(socket);
    await eventually("closed", () => did.length > 0);
    bus.publish("s", { message: "two" });
    await bus.flush();
    expect(did).toEqual(["close 4000"]);
    expect(bus.stats().followers).toBe(0);
  },
);

test("one that was closing anyway is not closed again", async () => {
  const { socket, did } = socketWith({
    send: () => {
      socket.readyState = 2;
      throw new Error("closing");
    },
  });
  const bus = await followed(socket);
  expect(did).toEqual([]);
  expect(bus.stats().followers).toBe(0);
});

test("0 means dropped to Bun's sockets alone", async () => {
  const withoutBuffer = socketWith({ send: () => 0 });
  expect((await followed(withoutBuffer.socket)).stats().followers).toBe(1);
  const { socket, did } = socketWith({ send: () => 0, getBufferedAmount: () => 0 });
  expect((await followed(socket)).stats().followers).toBe(0);
  expect(did).toEqual(["close 4008"]);
});

test("what waits for room is not sent when the client is to come back, and is when it holds the end", async () => {
  for (const [finish, expected] of [
    ["disconnect", ["ready", "close 4000"]],
    ["end", ["ready", "agent_event", "session_end", "close 1000"]],
  ] as const) {
    let buffered = 0;
    const { socket, did } = socketWith({ getBufferedAmount: () => buffered });
    const bus = createEventBus();
    followOverWebSocket(bus, "s", socket);
    buffered = 1 << 20;
    bus.publish("s", { message: "one" });
    bus[finish]("s");
    await bus.flush();
    buffered = 0;
    await eventually("closed", () => did.at(-1)!.startsWith("close"));
    expect(did).toEqual(expected);
    expect(bus.stats().followers).toBe(0);
  }
});

test("a wrapper is followed by what it wraps, and hears of its end", async () => {
  const inner = socketWith({ addEventListener: (_type: string, listener: () => void) => (leave = listener) });
  const outer = socketWith({ raw: inner.socket });
  let leave = (): void => {};
  const bus = await followed(outer.socket);
  expect([inner.did, outer.did]).toEqual([["ready", "agent_event"], []]);
  leave();
  expect(bus.stats().followers).toBe(0);
});

test("a ping that fails lets the socket go", async () => {
  for (const ping of [
    () => {
      throw new Error("gone");
    },
    () => Promise.reject(new Error("gone")),
  ]) {
    const { socket, did } = socketWith({ ping });
    const bus = await followed(socket, 20);
    await eventually("let go", () => bus.stats().followers === 0);
    expect(did).toEqual(["ready", "agent_event", "close 4000"]);
  }
});

test("keepAliveMs that is no number of milliseconds is a TypeError", () => {
  const { socket } = socketWith({});
  expect(() => followOverWebSocket(createEventBus(), "s", socket, { keepAliveMs: 0 })).toThrow("keepAliveMs");
});

const late = (): Promise<never> => Promise.reject(new Error("already closed"));

test.each<[string, Partial<WebSocketLike>, (bus: SessionEventBus) => unknown]>([
  ["close, at the end", { close: late }, (bus) => bus.end("s")],
  ["close, when turned away", { close: late }, (bus) => bus.disconnect("s")],
  [
    "close and terminate, when it takes nothing",
    { close: late, terminate: late, bufferedAmount: 1e6 },
    () => {},
  ],
  ["close, after its send", { close: late, send: late }, () => {}],
])("a socket that rejects ends no process: %s", async (_what, rest, act) => {
  const { socket } = socketWith(rest);
  const bus = createEventBus();
  const errors: string[] = [];
  bus.on("error", (error) => errors.push(error.message));
  followOverWebSocket(bus, "s", socket, { writeDeadlineMs: 20 });
  bus.publish("s", { message: "one" });
  await bus.flush();
  act(bus);
  await eventually("nobody follows", () => bus.stats().followers === 0);
  await nextTurn();
  for (const error of errors) expect(error).toBe("already closed");
  await bus.close();
  followOverWebSocket(bus, "s", socketWith({ close: late }).socket);
  await nextTurn();
});

test("a socket that can no longer be asked is let go, and ends no process", async () => {
  const bus = createEventBus();
  let isGone = false;
  const { socket, did } = socketWith({});
  Object.defineProperty(socket, "bufferedAmount", {
    get: () => {
      if (isGone) throw new Error("socket is closed");
      return 100_000;
    },
  });
  const errors: string[] = [];
  bus.on("error", (error) => errors.push(error.message));
  followOverWebSocket(bus, "s", socket);
  bus.publish("s", { message: "one" });
  await bus.flush();
  isGone = true;
  await eventually("it is let go", () => bus.stats().followers === 0);
  expect(did.at(-1)).toBe("close 4000");
  expect(errors).toEqual(["socket is closed"]);
  await bus.close();
});

test("a socket that takes nothing is cut, also when its close throws", async () => {
  const bus = createEventBus();
  let cuts = 0;
  const close = (): never => {
    throw new Error("already closed");
  };
  bus.on("error", () => undefined);
  const { socket } = socketWith({ close, terminate: () => cuts++, bufferedAmount: 1e6 });
  followOverWebSocket(bus, "s", socket, { writeDeadlineMs: 20 });
  await eventually("it is cut", () => cuts === 1);
  expect(bus.stats().followers).toBe(0);
  await bus.close();
});
