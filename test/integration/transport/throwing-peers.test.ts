import { describe, expect, test } from "vitest";
import { createEventBus, type SessionEntry, type SessionEventBus } from "session-progress";
import { followOverWebSocket } from "session-progress/websocket";
import { WebSocket } from "ws";
import { cleanups } from "../../support/cleanups.ts";
import { eventually, within } from "../../support/eventually.ts";
import { serveWebSockets } from "../../support/websocket-server.ts";

const cleanUp = cleanups();

const BROKEN = "this socket is broken";
const METHODS = ["close", "terminate"] as const;

interface Client {
  readonly types: string[];
  readonly closed: Promise<number>;
}

/** A real server: connections to `/<session>` follow it, and those to `/<session>?broken` throw when let go. */
async function setUp() {
  const bus = createEventBus();
  const errors: string[] = [];
  bus.on("error", (error) => errors.push(error.message));
  const { server, origin } = await serveWebSockets();
  const terminations: (() => void)[] = [];
  server.on("connection", (socket, request) => {
    const { pathname, search } = new URL(request.url!, "http://localhost");
    const terminate = socket.terminate.bind(socket);
    terminations.push(terminate);
    if (search === "?broken") {
      for (const method of METHODS) {
        socket[method] = () => {
          throw new Error(BROKEN);
        };
      }
    }
    followOverWebSocket(bus, pathname.slice(1), socket);
  });
  cleanUp(async () => {
    await bus.close();
    for (const terminate of terminations) terminate();
    server.close();
  });
  const follow = async (path: string): Promise<Client> => {
    const socket = new WebSocket(`${origin}/${path}`);
    cleanUp(() => socket.terminate());
    const types: string[] = [];
    socket.on("error", () => {});
    socket.on("message", (message: Buffer) => {
      types.push((JSON.parse(message.toString()) as SessionEntry).event.t);
    });
    const closed = new Promise<number>((resolve) => socket.on("close", resolve));
    await eventually("the first words", () => types.length === 1);
    return { types, closed };
  };
  return { bus, errors, follow };
}

/** A follower whose socket throws where the real one of `ws` does not: in `close` and `terminate`. */
function followBroken(
  bus: SessionEventBus,
  sessionId: string,
  options: { bufferedAmount?: number } = {},
): void {
  const broken = (): never => {
    throw new Error(BROKEN);
  };
  const socket = { send: () => undefined, close: broken, terminate: broken, ...options };
  followOverWebSocket(bus, sessionId, socket, { writeDeadlineMs: 20 });
}

describe("a WebSocket whose close and terminate throw", () => {
  test("keeps no event and no end from others, of its session and of other sessions", async () => {
    const { bus, errors, follow } = await setUp();
    await follow("s?broken");
    const [same, other] = [await follow("s"), await follow("t")];
    bus.publish("s", { message: "one" });
    bus.end("s");
    bus.publish("t", { message: "two" });
    expect(await same.closed).toBe(1000);
    expect(same.types).toEqual(["ready", "agent_event", "session_end"]);
    bus.publish("t", { message: "three" });
    bus.end("t");
    expect(await other.closed).toBe(1000);
    expect(other.types).toEqual(["ready", "agent_event", "agent_event", "session_end"]);
    expect(errors).toEqual([BROKEN]);
    expect(bus.stats().followers).toBe(0);
  });

  test("does not reach who starts a run for another owner", async () => {
    const { bus, errors, follow } = await setUp();
    await follow("s?broken");
    const same = await follow("s");
    const { done } = bus.start(() => undefined, { sessionId: "s", owner: { user: 1 } });
    expect((await done).status).toBe("completed");
    expect(await same.closed).toBe(4000);
    expect(errors).toEqual([BROKEN]);
  });

  test("does not reach who disconnects", async () => {
    const { bus, errors, follow } = await setUp();
    await follow("s?broken");
    const same = await follow("s");
    bus.disconnect("s");
    expect(await same.closed).toBe(4000);
    expect(errors).toEqual([BROKEN]);
    expect(bus.stats().followers).toBe(0);
  });

  test("does not keep the bus from closing", async () => {
    const { bus, errors, follow } = await setUp();
    await follow("s?broken");
    const [same, other] = [await follow("s"), await follow("t")];
    await within("bus.close()", 50_000, bus.close());
    expect(await Promise.all([same.closed, other.closed])).toEqual([4001, 4001]);
    expect(errors).toEqual([BROKEN]);
    expect(bus.stats()).toMatchObject({ followers: 0, sessions: 0, bytes: 0 });
  });

  test("does not reach who reports in a long turn", async () => {
    const { bus, errors, follow } = await setUp();
    const same = await follow("s");
    const broken = (): never => {
      throw new Error(BROKEN);
    };
    const filter = ({ msg }: { msg: string }): boolean => {
      if (msg === "700") bus.disconnect("s", (request) => request === "broken");
      return true;
    };
    followOverWebSocket(bus, "s", { send: () => undefined, close: broken }, { filter, request: "broken" });
    for (let n = 0; n < 1_500; n++) expect(bus.publish("s", { message: `${n}` })).toBe(true);
    bus.end("s");
    expect(await same.closed).toBe(1000);
    expect(same.types).toEqual(["ready", ...Array<string>(1_500).fill("agent_event"), "session_end"]);
    expect(errors).toEqual([BROKEN]);
  });

  test("is let go at the write deadline all the same, and so are others", async () => {
    const { bus, errors } = await setUp();
    for (const sessionId of ["s", "s", "t"]) followBroken(bus, sessionId, { bufferedAmount: 1 << 20 });
    for (const sessionId of ["s", "t"]) bus.publish(sessionId, { message: "one" });
    await eventually("nobody follows", () => bus.stats().followers === 0);
    expect(errors).toEqual([BROKEN, BROKEN, BROKEN]);
  });
});
