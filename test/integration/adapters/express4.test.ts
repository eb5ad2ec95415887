import express from "express4";
import { sseHandler } from "session-progress/express";
import { testEventStream } from "../../contracts/event-stream.ts";
import { serve } from "../../support/http-server.ts";

testEventStream("Express 4", async (bus, options, before) => {
  const app = express();
  app.use((_req, res, next) => {
    res.set(before);
    next();
  });
  app.all("/events", sseHandler(bus, options));
  const { origin, server, close } = await serve(app);
  return { url: `${origin}/events`, server, close };
});
