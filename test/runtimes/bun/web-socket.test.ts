import { Hono } from "hono";
import { upgradeWebSocket, websocket } from "hono/bun";
import { expect, test } from "vitest";
import { createEventBus, type SessionEntry } from "session-progress";
import { followOverWebSocket } from "session-progress/websocket";
import { type ServeWebSockets, testWebSocket } from "../../contracts/web-socket.ts";
import { cleanups } from "../../support/cleanups.ts";
import { nextTurn } from "../../support/event-loop.ts";
import { RawWebSocket } from "../../support/raw-web-socket.ts";

const cleanUp = cleanups();

/** Bun's own sockets, with its default limit of 1 MiB or another one. */
function serveBun(backpressureLimit?: number): ServeWebSockets {
  return (bus, options) => {
    const stops = new WeakMap<object, () => void>();
    const server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: (request, server) => {
        const after = new URL(request.url).searchParams.get("after") ?? undefined;
        return server.upgrade(request, { data: after }) ? undefined : new Response(null, { status: 426 });
      },
      websocket: {
        backpressureLimit,
        message: () => {},
        open: (socket: Bun.ServerWebSocket) => {
          const after = socket.data as string | undefined;
          stops.set(socket, followOverWebSocket(bus, "s", socket, { after, ...options }));
        },
        close: (socket: Bun.ServerWebSocket) => stops.get(socket)?.(),
      },
    });
    return Promise.resolve({ origin: `ws://127.0.0.1:${server.port}`, close: () => server.stop(true) });
  };
}

testWebSocket("Bun", serveBun(), { pings: true });

test("a client whose message Bun has dropped is told to come back, and misses nothing", async () => {
  const bus = createEventBus();
  const { origin, close } = await serveBun(1_000)(bus);
  cleanUp(bus.close, close);
  const seen: SessionEntry[] = [];
  const closes: number[] = [];
  for (let n = 1; n <= 100; n++) bus.publish("s", { message: "x".repeat(60_000) });
  bus.end("s");
  do {
    const client = new RawWebSocket(`${origin}/?after=${seen.at(-1)?.id ?? ""}`);
    client.pause();
    for (let turn = 0; turn < 10; turn++) await nextTurn();
    client.resume();
    const [code] = await client.closed;
    closes.push(code);
    seen.push(...client.entries.slice(1));
  } while (closes.at(-1) !== 1000);
  expect(new Set(closes)).toEqual(new Set([4008, 1000]));
  expect(seen.map(({ id }) => Number(id.split("-")[1]))).toEqual(
    Array.from({ length: 101 }, (_, n) => n + 1),
  );
}, 30_000);

testWebSocket(
  "Hono on Bun",
  (bus, options) => {
    const app = new Hono();
    app.get(
      "/",
      // eslint-disable-next-line @typescript-eslint/no-deprecated -- it is what Hono 4 has
      upgradeWebSocket((c) => {
        let stop = (): void => {};
        return {
          onOpen: (_event, socket) => {
            stop = followOverWebSocket(bus, "s", socket, { after: c.req.query("after"), ...options });
          },
          onClose: () => stop(),
        };
      }),
    );
    // eslint-disable-next-line @typescript-eslint/no-deprecated -- it is what Hono 4 has
    const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: app.fetch, websocket });
    return Promise.resolve({ origin: `ws://127.0.0.1:${server.port}`, close: () => server.stop(true) });
  },
  { pings: true },
);
