import { fastify } from "fastify";
import { once } from "node:events";
import {
  type ClientHttp2Session,
  connect,
  createServer,
  type Http2ServerRequest,
  type ServerHttp2Session,
} from "node:http2";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { createEventBus } from "session-progress";
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
