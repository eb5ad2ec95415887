import { fastify } from "fastify";
import { once } from "node:events";
import {
  type ClientHttp2Session,
  connect,
  constants,
  createServer,
  type Http2ServerRequest,
  type ServerHttp2Session,
} from "node:http2";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { createEventBus, type SessionEventBus } from "session-progress";
import { sseHandler as fastifyHandler } from "session-progress/fastify";
import { sseHandler } from "session-progress/node";
import { testEventStream } from "../../contracts/event-stream.ts";
import { eventually } from "../../support/eventually.ts";
import type { ClientTransport } from "../../support/event-stream-client.ts";

/** HTTP/2 without TLS, each request on a connection of its own. */
const overHttp2: ClientTransport = (url, { method = "GET", headers, signal }) => {
  const { origin, pathname, search } = new URL(url);
  const session = connect(origin);
  session.on("error", () => {});
  // Connection headers mean nothing here and are refused.
  const { connection: _, ...rest } = { connection: undefined, ...headers };
  const stream = session.request({ ":method": method, ":path": pathname + search, ...rest });
  stream.end();
  stream.on("close", () => session.close());
  signal?.addEventListener("abort", () => session.destroy());
  return new Promise((resolve, reject) => {
    stream.on("error", reject);
    stream.on("close", () => reject(new Error("closed without a response")));
    stream.on("response", ({ ":status": status = 0, ...responseHeaders }) =>
      resolve({ status, headers: responseHeaders, body: stream }),
    );
  });
};

testEventStream(
  "HTTP/2",
  async (bus, options, before) => {
    const handle = sseHandler<Http2ServerRequest>(bus, options);
    const server = createServer((req, res) => {
      for (const [name, value] of Object.entries(before)) res.setHeader(name, value);
      void handle(req, res);
    });
    const sessions = new Set<ServerHttp2Session>();
    server.on("session", (session) => {
      sessions.add(session);
      session.on("close", () => sessions.delete(session));
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return {
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/events`,
      close: async () => {
        const closed = once(server, "close");
        server.close();
        for (const session of sessions) session.destroy();
        await closed;
      },
    };
  },
  { http1: false, transport: overHttp2 },
);

testEventStream(
  "Fastify over HTTP/2",
  async (bus, options, before) => {
    const app = fastify({ http2: true, forceCloseConnections: true });
    app.addHook("onRequest", async (_request, reply) => void reply.headers(before as Record<string, string>));
    app.all("/events", fastifyHandler(bus, options));
    const origin = await app.listen({ host: "127.0.0.1", port: 0 });
    return { url: `${origin}/events`, close: () => app.close() };
  },
  { http1: false, transport: overHttp2 },
);

test("one HTTP/2 session gets half of what may follow, and leaves it all when it goes", async () => {
  const bus = createEventBus({ maxFollowersPerSession: 40, maxFollowers: 100 });
  const server = createServer(sseHandler<Http2ServerRequest>(bus));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const statusOf = async (session: ClientHttp2Session, id: string): Promise<unknown> => {
    const stream = session.request({ ":path": `/events?session_id=${id}` });
    const [headers] = (await once(stream, "response")) as [Record<string, unknown>];
    return headers[":status"];
  };
  const [greedy, other] = [connect(origin), connect(origin)];
  const statuses = [];
  for (let n = 0; n < 25; n++) statuses.push(await statusOf(greedy, "s"));
  expect(statuses).toEqual([...Array<number>(20).fill(200), ...Array<number>(5).fill(429)]);
  expect(await statusOf(other, "s")).toBe(200);
  for (let n = 0; n < 30; n++) expect(await statusOf(greedy, `s${n}`)).toBe(200);
  expect(await statusOf(greedy, "one-more")).toBe(429);
  expect(await statusOf(other, "one-more")).toBe(200);
  greedy.destroy();
  await eventually("only the other follows", () => bus.stats().followers === 2);
  const back = connect(origin);
  expect(await statusOf(back, "s")).toBe(200);
  back.destroy();
  other.destroy();
  await bus.close();
  server.close();
});

/** A client with a window of 0: what it is sent stays unsent. */
const hungry = (origin: string): ClientHttp2Session => {
  const session = connect(origin, { settings: { initialWindowSize: 0 } });
  session.on("error", () => {});
  return session;
};

async function serving(bus: SessionEventBus): Promise<{ origin: string; close: () => Promise<void> }> {
  const server = createServer(sseHandler<Http2ServerRequest>(bus));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const close = async (): Promise<void> => {
    const closed = once(server, "close");
    await bus.close();
    server.close();
    await closed;
  };
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close };
}

test("a stream that is reset without an error, with something unsent, leaves no follower", async () => {
  const bus = createEventBus();
  bus.publish("s", { message: "one" });
  const { origin, close } = await serving(bus);
  const client = hungry(origin);
  for (let n = 0; n < 20; n++) {
    const stream = client.request({ ":path": "/events?session_id=s" });
    stream.on("error", () => {});
    await once(stream, "response");
    stream.close(constants.NGHTTP2_NO_ERROR);
  }
  await eventually("nobody follows", () => bus.stats().followers === 0);
  client.destroy();
  await close();
});

test("streams that have ended and are not taken count for their session's connection", async () => {
  const bus = createEventBus({ maxFollowers: 40 });
  bus.publish("old", { message: "x".repeat(2_000) });
  bus.end("old");
  const { origin, close } = await serving(bus);
  const greedy = hungry(origin);
  const statuses = [];
  for (let n = 0; n < 30; n++) {
    const [headers] = (await once(greedy.request({ ":path": "/events?session_id=old" }), "response")) as [
      Record<string, unknown>,
    ];
    statuses.push(headers[":status"]);
  }
  expect(statuses).toEqual([...Array<number>(20).fill(200), ...Array<number>(10).fill(429)]);
  greedy.destroy();
  await close();
});
