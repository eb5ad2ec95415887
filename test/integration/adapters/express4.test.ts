import express from "express4";
import { sseHandler } from "session-progress/express";
import { testEventStream } from "../../contracts/event-stream.ts";
import { serve } from "../../support/http-server.ts";

testEventStream("Express 4", async (bus, options) => {
  const app = express();
  app.all("/events", sseHandler(bus, options));
  const { origin, close } = await serve(app);
  return { url: `${origin}/events`, close };
});
