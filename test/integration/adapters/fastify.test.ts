import cookie from "@fastify/cookie";
import cors from "@fastify/cors";
import fastify, { type FastifyInstance } from "fastify";
import { PassThrough, type Readable } from "node:stream";
import { describe, expect, test } from "vitest";
import { createEventBus, type SessionEventBus } from "session-progress";
import { sseHandler, type SseOptions } from "session-progress/fastify";
import { sseHandler as nodeHandler } from "session-progress/node";
import { type Serve, testEventStream } from "../../contracts/event-stream.ts";
import { cleanups } from "../../support/cleanups.ts";
import { deferred } from "../../support/deferred.ts";
import { nextTurn } from "../../support/event-loop.ts";
import { eventually } from "../../support/eventually.ts";
import { type ClientRequest, EventStreamClient } from "../../support/event-stream-client.ts";

type Headers = Record<string, string | string[]>;

const cleanUp = cleanups();

async function listen(app: FastifyInstance): ReturnType<Serve> {
  const origin = await app.listen({ host: "127.0.0.1", port: 0 });
  return { url: `${origin}/events`, server: app.server, close: () => app.close() };
}

testEventStream("Fastify", async (bus, options, before) => {
  const app = fastify({ forceCloseConnections: true });
  app.addHook("onRequest", async (_request, reply) => void reply.headers(before as Headers));
  app.all("/events", sseHandler(bus, options));
  return listen(app);
});

testEventStream("Fastify with hooks that take their time", async (bus, options, before) => {
  const app = fastify({ forceCloseConnections: true });
  const { "x-request-id": late, ...early } = before;
  app.addHook("onRequest", async (_request, reply) => void reply.headers(early as Headers));
  app.addHook("onSend", async (_request, reply) => {
    await nextTurn();
    if (late !== undefined) reply.header("x-request-id", late);
  });
  const events = sseHandler(bus, options);
  app.all("/events", async (request, reply) => events(request, reply));
  return listen(app);
});

testEventStream("Fastify's raw request and response", async (bus, options, before) => {
  const app = fastify({ forceCloseConnections: true });
  const events = nodeHandler(bus, options);
  app.all("/events", (request, reply) => {
    for (const [name, value] of Object.entries(before)) reply.raw.setHeader(name, value);
    reply.hijack();
    void events(request.raw, reply.raw);
  });
  return listen(app);
});

describe("Fastify", () => {
  function appWith(options?: SseOptions<unknown>): { app: FastifyInstance; bus: SessionEventBus } {
    const bus = createEventBus();
    const app = fastify({ forceCloseConnections: true });
    cleanUp(async () => {
      await bus.close();
      await app.close();
    });
    app.all("/events", sseHandler(bus, options));
    return { app, bus };
  }

  async function follow(
    app: FastifyInstance,
    query = "?session_id=s",
    request: ClientRequest = {},
  ): Promise<EventStreamClient> {
    if (!app.server.listening) await app.listen({ host: "127.0.0.1", port: 0 });
    const client = await EventStreamClient.open(`${app.listeningOrigin}/events${query}`, request);
    cleanUp(() => client.close());
    return client;
  }

  test("answers inject as it answers a client over a socket", async () => {
    const { app, bus } = appWith();
    const url = "/events?session_id=s";
    expect(await app.inject({ method: "HEAD", url })).toMatchObject({ statusCode: 200, body: "" });
    bus.publish("s", { message: "one" });
    bus.end("s");
    const { statusCode, body } = await app.inject({ method: "GET", url });
    expect(statusCode).toBe(200);
    expect(body.match(/^event: .*$/gm)).toEqual(["event: ready", "event: agent", "event: end"]);
  });

  test("keeps what @fastify/cors and @fastify/cookie have set: on a stream, a refusal and a 204", async () => {
    const { app, bus } = appWith();
    await app.register(cors, { origin: ["https://www.example.com"], credentials: true });
    await app.register(cookie);
    app.addHook("onRequest", async (_request, reply) => void reply.setCookie("a", "1").setCookie("b", "2"));
    bus.publish("s", { message: "one" });
    const origin = "https://www.example.com";
    const answers = [
      await follow(app, "?session_id=s", { headers: { origin } }),
      await follow(app, "?session_id=", { headers: { origin } }),
    ];
    bus.end("s");
    const lastEventId = `${bus.reporter("s").epoch}-2`;
    answers.push(await follow(app, "?session_id=s", { headers: { origin, "last-event-id": lastEventId } }));
    expect(answers.map(({ status }) => status)).toEqual([200, 400, 204]);
    for (const { headers } of answers) {
      expect(headers["access-control-allow-origin"]).toBe("https://www.example.com");
      expect(headers["access-control-allow-credentials"]).toBe("true");
      expect(headers["vary"]).toBe("Origin");
      expect(headers["set-cookie"]).toEqual([expect.stringMatching(/^a=1/), expect.stringMatching(/^b=2/)]);
    }
  });

  test("calls onSend and onResponse, and logs nothing when a client leaves", async () => {
    const bus = createEventBus();
    const logged: string[] = [];
    const app = fastify({
      logger: { stream: { write: (line) => void logged.push(line) } },
      disableRequestLogging: true,
    });
    cleanUp(async () => {
      await bus.close();
      await app.close();
    });
    const called: unknown[] = [];
    app.addHook("onSend", async (_request, reply) => void called.push(reply.getHeader("content-type")));
    app.addHook("onResponse", async (_request, reply) => void called.push(reply.statusCode));
    app.get("/events", { handlerTimeout: 20 }, sseHandler(bus, { keepAliveMs: 20 }));
    const [client, other] = [await follow(app), await follow(app)];
    logged.length = 0;
    // Longer than the handler's time: that was for the answer to begin.
    await client.take(4);
    client.close();
    await eventually("it is gone", () => bus.stats().followers === 1);
    bus.publish("s", {});
    bus.end("s");
    await other.over;
    const type = "text/event-stream; charset=utf-8";
    expect(called).toEqual([type, type, 200]);
    expect(logged).toEqual([]);
  });

  test("may have a hook put something between", async () => {
    const { app, bus } = appWith();
    app.addHook("onSend", async (_request, _reply, payload) => (payload as Readable).pipe(new PassThrough()));
    const client = await follow(app);
    await client.until("ready");
    for (let n = 1; n <= 50; n++) {
      bus.publish("s", { message: `${n}`.padEnd(10_000, ".") });
      if (n % 10 === 0) await client.take(10);
    }
    bus.end("s");
    expect((await client.rest()).map(({ event }) => event)).toEqual(["end"]);
    await expect(client.over).resolves.toBe("end");
    expect(bus.stats()).toMatchObject({ followers: 0, gaps: 0 });
  });

  test("answers as it does for a hook that fails, and follows nothing then", async () => {
    const { app, bus } = appWith();
    app.addHook("onSend", async () => Promise.reject(new Error("no disk left")));
    const client = await follow(app);
    await client.over;
    expect(client.status).toBe(500);
    expect(bus.stats().followers).toBe(0);
  });

  test("a follower whose stream hooks hold back is cut off at the deadline", async () => {
    const { app, bus } = appWith({ writeDeadlineMs: 30 });
    const reached = deferred();
    const released = deferred();
    app.addHook("onSend", async () => {
      reached.resolve();
      await released.promise;
    });
    const answer = follow(app);
    await reached.promise;
    bus.publish("s", { message: "x".repeat(100_000) });
    await eventually("it is cut off", () => bus.stats().followers === 0);
    released.resolve();
    expect((await answer).status).toBe(500);
  });

  test("a reply that was hijacked before is refused", async () => {
    const bus = createEventBus();
    const events = sseHandler(bus);
    const app = fastify();
    const thrown: unknown[] = [];
    app.get("/events", (request, reply) => {
      reply.hijack();
      try {
        void events(request, reply);
      } catch (error) {
        thrown.push(error);
        reply.raw.end();
      }
    });
    await app.inject("/events?session_id=s");
    expect(thrown).toEqual([expect.objectContaining({ code: "headers_sent" })]);
    await app.close();
  });
});
