import { createAdaptorServer } from "@hono/node-server";
import { Hono } from "hono";
import { once } from "node:events";
import { Agent, createServer as createHttp1Server, request as http1Request, type Server } from "node:http";
import { type ClientHttp2Session, connect, createServer, type Http2Server } from "node:http2";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { describe, expect, test } from "vitest";
import { createEventBus, type SessionEventBus } from "session-progress";
import { sseHandler as forFetch } from "session-progress/fetch";
import { sseHandler as forHono } from "session-progress/hono";
import { sseHandler as forNode } from "session-progress/node";
import { cleanups } from "../../support/cleanups.ts";
import { EventStreamClient } from "../../support/event-stream-client.ts";
import { within } from "../../support/eventually.ts";
import { RawClient } from "../../support/raw-client.ts";

/** Nobody's patience in a deployment; the point is that it is not for ever. */
const GENEROUS_MS = 3_000;

const cleanUp = cleanups();

async function listen(server: Server | Http2Server): Promise<string> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function closed(server: Server | Http2Server): Promise<void> {
  server.close();
  await once(server, "close");
}

describe.each<[string, (bus: SessionEventBus) => Http2Server]>([
  ["node", (bus) => createServer(forNode(bus))],
  ["Hono", (bus) => overHttp2(new Hono().get("/events", forHono(bus)).fetch)],
  ["fetch", (bus) => overHttp2(forFetch(bus))],
])("a bus that closes says GOAWAY over HTTP/2: %s", (_name, serve) => {
  async function setUp() {
    const bus = createEventBus();
    const server = serve(bus);
    const session = connect(await listen(server));
    session.on("error", () => {});
    cleanUp(() => {
      session.destroy();
      server.close();
    });
    return { bus, server, session, goaway: once(session, "goaway") };
  }

  test("to the session of a follower, which keeps it", async () => {
    const { bus, server, session, goaway } = await setUp();
    const client = follow(session);
    await client.until("ready");
    await within("bus.close()", GENEROUS_MS, bus.close());
    expect(await within("GOAWAY", GENEROUS_MS, goaway)).toMatchObject({ 0: 0 });
    await expect(client.over).resolves.toBe("end");
    expect((await client.rest()).map(({ retry }) => typeof retry)).toEqual(["number"]);
    await within("server.close()", GENEROUS_MS, closed(server));
  });

  test("to a session whose follower has seen the end, or was refused", async () => {
    const { bus, server, session, goaway } = await setUp();
    bus.publish("s", { message: "one" });
    bus.end("s");
    await follow(session).over;
    await follow(session, "not a session").over;
    await within("bus.close()", GENEROUS_MS, bus.close());
    await within("GOAWAY", GENEROUS_MS, goaway);
    await within("server.close()", GENEROUS_MS, closed(server));
  });

  test("to a session that asks when the bus is closed", async () => {
    const { bus, server, session, goaway } = await setUp();
    await bus.close();
    const client = follow(session);
    expect((await client.rest()).map(({ retry }) => typeof retry)).toEqual(["number"]);
    await within("GOAWAY", GENEROUS_MS, goaway);
    await within("server.close()", GENEROUS_MS, closed(server));
  });
});

test("what else a session carries is finished first", async () => {
  const bus = createEventBus();
  const events = forNode(bus);
  let finish = (): void => {};
  const server = createServer((req, res) => {
    if (req.url.startsWith("/events")) void events(req as never, res);
    else finish = () => void res.end("the rest");
  });
  const session = connect(await listen(server));
  cleanUp(() => session.destroy());
  const other = session.request({ ":path": "/download" });
  const download = text(other);
  await follow(session).until("ready");
  await bus.close();
  finish();
  expect(await download).toBe("the rest");
  await within("server.close()", GENEROUS_MS, closed(server));
});

describe.each<[string, (bus: SessionEventBus) => Server]>([
  [
    "node",
    (bus) => createHttp1Server(forNode(bus, { authorize: (req) => req.headers["x-no"] === undefined })),
  ],
  [
    "Hono",
    (bus) => {
      const handle = forHono(bus, { authorize: (c) => c.req.header("x-no") === undefined });
      return createAdaptorServer({ fetch: new Hono().get("/events", handle).fetch }) as Server;
    },
  ],
  [
    "fetch",
    (bus) => {
      const handle = forFetch(bus, { authorize: (request) => !request.headers.has("x-no") });
      return createAdaptorServer({ fetch: handle }) as Server;
    },
  ],
])("a bus that closes lets connections go over HTTP/1.1: %s", (_name, serve) => {
  test("whatever it answers, while clients would keep them", async () => {
    const bus = createEventBus();
    const server = serve(bus);
    const origin = await listen(server);
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    cleanUp(
      () => agent.destroy(),
      () => server.close(),
    );
    const ask = (headers: Record<string, string> = {}, id = "s", method = "GET") =>
      new Promise<[status: number | undefined, connection: string | undefined]>((resolve, reject) => {
        const request = http1Request(`${origin}/events?session_id=${id}`, { agent, headers, method });
        request.on("error", reject);
        request.on("response", (response) => {
          response.on("end", () => resolve([response.statusCode, response.headers.connection])).resume();
        });
        request.end();
      });
    bus.publish("s", { message: "one" });
    bus.end("s");
    expect(await ask()).toEqual([200, "keep-alive"]);
    expect(await ask({}, "not a session")).toEqual([400, "keep-alive"]);
    await bus.close();
    expect(await ask()).toEqual([200, "close"]);
    expect(await ask({}, "s", "HEAD")).toEqual([200, "close"]);
    expect(await ask({}, "not a session")).toEqual([400, "close"]);
    expect(await ask({ accept: "text/html" })).toEqual([406, "close"]);
    expect(await ask({ "x-no": "" })).toEqual([403, "close"]);
  });

  test("a follower that asks again over its connection, while the server closes, is the last that it carries", async () => {
    const bus = createEventBus();
    const server = serve(bus);
    server.keepAliveTimeout = 0;
    const origin = await listen(server);
    const client = await RawClient.connect(Number(new URL(origin).port));
    cleanUp(() => client.close());
    await client.get("/events?session_id=s").until("event: ready");
    const over = closed(server);
    await bus.close();
    await client.until("\r\n0\r\n\r\n");
    client.received = "";
    await client.get("/events?session_id=s").closed;
    expect(client.received).toMatch(/^connection: close\r$/im);
    expect(client.received).toMatch(/^retry: \d+$/m);
    await within("server.close()", GENEROUS_MS, over);
  });
});

function overHttp2(fetch: (request: Request, env: never) => Response | Promise<Response>): Http2Server {
  return createAdaptorServer({ fetch: fetch as never, createServer: createServer as never }) as Http2Server;
}

function follow(session: ClientHttp2Session, id = "s"): EventStreamClient {
  const body = session.request({ ":path": `/events?session_id=${encodeURIComponent(id)}` });
  return new EventStreamClient({ status: 200, headers: {}, body });
}
