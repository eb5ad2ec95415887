import { Hono } from "hono";
import { sseHandler } from "session-progress/hono";
import { testEventStream } from "../../contracts/event-stream.ts";
import { serveFetch } from "../../support/fetch-server.ts";
import { honoApp } from "../../support/hono-app.ts";

testEventStream(
  "Hono",
  async (bus, options, before) => {
    const app = honoApp(sseHandler(bus, options), before);
    const { origin, server, close } = await serveFetch((request) => app.fetch(request));
    return { url: `${origin}/events`, server, close };
  },
  { seesTurns: false },
);

testEventStream(
  "Hono that knows of Node's response, and of one that middleware has made",
  async (bus, options, before) => {
    const app = new Hono();
    app.use(async (c, next) => {
      for (const [name, values] of Object.entries(before)) {
        for (const value of [values].flat()) c.res.headers.append(name, value);
      }
      await next();
    });
    app.all("/events", sseHandler(bus, options));
    const { origin, server, close } = await serveFetch((request, env) => app.fetch(request, env));
    return { url: `${origin}/events`, server, close };
  },
);
