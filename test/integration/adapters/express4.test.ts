import express from "express4";
import { sseHandler } from "session-progress/express";
import { testEventStream } from "../../contracts/event-stream.ts";
import { listen } from "../../support/http-server.ts";

testEventStream("Express 4", async (bus, options) => {
  const app = express();
  app.all("/events", sseHandler(bus, options));
  const { origin, close } = await listen(app);
  return { url: `${origin}/events`, close };
});
