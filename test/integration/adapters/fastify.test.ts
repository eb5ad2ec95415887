import fastify from "fastify";
import { expect, test } from "vitest";
import { createEventBus } from "session-progress";
import { sseHandler } from "session-progress/node";
import { testEventStream } from "../../contracts/event-stream.ts";

testEventStream("Fastify", async (bus, options, before) => {
  const app = fastify({ forceCloseConnections: true });
  const events = sseHandler(bus, options);
  app.all("/events", (request, reply) => {
    for (const [name, value] of Object.entries(before)) reply.raw.setHeader(name, value);
    reply.hijack();
    void events(request.raw, reply.raw);
  });
  const origin = await app.listen({ host: "127.0.0.1", port: 0 });
  return { url: `${origin}/events`, server: app.server, close: () => app.close() };
});

test("Fastify's inject is answered as a client over a socket is", async () => {
  const bus = createEventBus();
  const app = fastify();
  const events = sseHandler(bus);
  app.all("/events", (request, reply) => {
    reply.hijack();
    void events(request.raw, reply.raw);
  });
  const url = "/events?session_id=s";
  expect(await app.inject({ method: "HEAD", url })).toMatchObject({ statusCode: 200, body: "" });
  bus.publish("s", { message: "one" });
  bus.end("s");
  const { statusCode, body } = await app.inject({ method: "GET", url });
  expect(statusCode).toBe(200);
  expect(body.match(/^event: .*$/gm)).toEqual(["event: ready", "event: agent", "event: end"]);
  await bus.close();
  await app.close();
});
