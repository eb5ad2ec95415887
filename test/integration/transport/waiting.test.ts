import { once } from "node:events";
import { Hono } from "hono";
import { afterEach, describe, expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import { createEventBus, type SessionEventBus } from "session-progress";
import { sseHandler as fetchHandler } from "session-progress/fetch";
import { sseHandler as honoHandler } from "session-progress/hono";
import { sseHandler as nodeHandler } from "session-progress/node";
import { followOverWebSocket } from "session-progress/websocket";
import { cleanups } from "../../support/cleanups.ts";
import { EventStreamClient } from "../../support/event-stream-client.ts";
import { serve } from "../../support/http-server.ts";
import { manualTicks } from "../../support/manual-ticks.ts";
import { warningsDuring } from "../../support/warnings.ts";
import { serveWebSockets } from "../../support/websocket-server.ts";

const cleanUp = cleanups();
const SECRET = "an-id-that-nobody-may-log";

/** Follows a session over each transport, until the test is over. */
const TRANSPORTS: Record<string, (bus: SessionEventBus, id: string) => Promise<unknown>> = {
  node: async (bus, id) => {
    const server = await serve(nodeHandler(bus));
    cleanUp(server.close);
    return EventStreamClient.open(`${server.origin}/?session_id=${id}`);
  },
  fetch: (bus, id) => fetchHandler(bus)(new Request(`http://localhost/?session_id=${id}`)),
  hono: async (bus, id) => new Hono().get("/", honoHandler(bus)).request(`/?session_id=${id}`),
  WebSocket: async (bus, id) => {
    const { server, origin } = await serveWebSockets();
    server.on("connection", (socket) => followOverWebSocket(bus, id, socket));
    const client = new WebSocket(origin);
    cleanUp(
      () => client.terminate(),
      () => server.close(),
    );
    await once(client, "message");
  },
};

afterEach(() => vi.restoreAllMocks());

/** Lets `ms` pass on the clock that periods are measured by. */
function pass(ms: number): void {
  const now = performance.now() + ms;
  vi.spyOn(performance, "now").mockImplementation(() => now);
}

function setUp() {
  const bus = createEventBus();
  cleanUp(() => bus.close());
  return { bus, ...manualTicks(bus) };
}

describe.each(Object.entries(TRANSPORTS))("a follower over %s that waits for a session", (_name, connect) => {
  test("which nobody opens is told once a bus, without the id", async () => {
    const { bus, tick } = setUp();
    const warnings = await warningsDuring(async () => {
      await connect(bus, SECRET);
      await connect(bus, SECRET);
      tick(2);
    });
    expect(warnings).toEqual([]);
    const later = await warningsDuring(() => {
      pass(5_000);
      tick(3);
    });
    expect(later).toEqual([expect.stringMatching(/waited.*wrong session id.*`mustExist: true`/s)]);
    expect(later[0]).not.toContain(SECRET);
  });

  test("is no matter when it was opened meanwhile, idle, or over", async () => {
    const { bus, tick } = setUp();
    await bus.open({ sessionId: "open" });
    await connect(bus, "open");
    await connect(bus, "early");
    bus.publish("early", { message: "at last" });
    await connect(bus, "ending");
    bus.publish("ending", { message: "short" });
    bus.end("ending");
    const warnings = await warningsDuring(() => {
      pass(60_000);
      tick(3);
    });
    expect(warnings).toEqual([]);
  });
});

test("listeners and iterators may wait for as long as they like", async () => {
  const { bus, tick } = setUp();
  bus.subscribe("s", () => undefined);
  const iterator = bus.follow("s")[Symbol.asyncIterator]();
  void iterator.next();
  const warnings = await warningsDuring(() => {
    pass(60_000);
    tick(3);
  });
  expect(warnings).toEqual([]);
});
