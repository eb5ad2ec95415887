import { sseHandler as forFetch } from "session-progress/fetch";
import { sseHandler as forHono } from "session-progress/hono";
import { testEventStream } from "../../contracts/event-stream.ts";
import { honoApp } from "../../support/hono-app.ts";
import { serveDeno } from "./serve-deno.ts";

testEventStream("fetch on Deno", (bus, options) => serveDeno(forFetch(bus, options)), {
  http1: false,
  middleware: false,
});

testEventStream(
  "Hono on Deno",
  (bus, options, before) => serveDeno(honoApp(forHono(bus, options), before).fetch),
  { http1: false },
);
