import express from "express";
import { sseHandler } from "session-progress/express";
import { testEventStream } from "../../contracts/event-stream.ts";
import { serve } from "../../support/http-server.ts";

testEventStream("Express 5", async (bus, options) => {
  const app = express();
  app.all("/events", sseHandler(bus, options));
  const { origin, close } = await serve(app);
  return { url: `${origin}/events`, close };
});
