import fastify from "fastify";
import { sseHandler } from "session-progress/node";
import { testEventStream } from "../contracts/event-stream.ts";

testEventStream("Fastify", async (bus, options) => {
  const app = fastify({ forceCloseConnections: true });
  const events = sseHandler(bus, options);
  app.all("/events", (request, reply) => {
    reply.hijack();
    events(request.raw, reply.raw);
  });
  const origin = await app.listen({ host: "127.0.0.1", port: 0 });
  return { url: `${origin}/events`, close: () => app.close() };
});
