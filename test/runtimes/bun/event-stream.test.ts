import { sseHandler as forFetch } from "session-progress/fetch";
import { sseHandler as forHono } from "session-progress/hono";
import { testEventStream } from "../../contracts/event-stream.ts";
import { honoApp } from "../../support/hono-app.ts";
import { serveBun } from "./serve-bun.ts";

const bun = { http1: false, keepAliveMs: 5_000 };

testEventStream("fetch on Bun", (bus, options) => serveBun(forFetch(bus, options)), {
  ...bun,
  middleware: false,
});

testEventStream(
  "fetch on Bun, without its server",
  (bus, options) => {
    const handle = forFetch(bus, options);
    return serveBun((request) => handle(request));
  },
  { ...bun, middleware: false },
);

testEventStream(
  "Hono on Bun",
  (bus, options, before) => serveBun(honoApp(forHono(bus, options), before).fetch),
  bun,
);
