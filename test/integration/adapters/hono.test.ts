import { Hono } from "hono";
import { sseHandler } from "session-progress/hono";
import { testEventStream } from "../../contracts/event-stream.ts";
import { serveFetch } from "../../support/fetch-server.ts";

testEventStream("Hono", async (bus, options) => {
  const app = new Hono();
  app.all("/events", sseHandler(bus, options));
  const { origin, close } = await serveFetch((request) => app.fetch(request));
  return { url: `${origin}/events`, close };
});

testEventStream("Hono that knows of Node's response", async (bus, options) => {
  const app = new Hono();
  app.all("/events", sseHandler(bus, options));
  const { origin, close } = await serveFetch((request, env) => app.fetch(request, env));
  return { url: `${origin}/events`, close };
});
