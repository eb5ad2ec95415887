import { once } from "node:events";
import { connect, createServer, type Http2ServerRequest, type ServerHttp2Session } from "node:http2";
import type { AddressInfo } from "node:net";
import { sseHandler } from "session-progress/node";
import { testEventStream } from "../../contracts/event-stream.ts";
import type { ClientTransport } from "../../support/event-stream-client.ts";

/** HTTP/2 without TLS, each request on a connection of its own. */
const overHttp2: ClientTransport = (url, { method = "GET", headers, signal }) => {
  const { origin, pathname, search } = new URL(url);
  const session = connect(origin);
  session.on("error", () => {});
  // Connection headers mean nothing here and are refused.
  const { connection: _, ...rest } = { connection: undefined, ...headers };
  const stream = session.request({ ":method": method, ":path": pathname + search, ...rest });
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
      handle(req, res);
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
