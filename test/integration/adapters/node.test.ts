import { sseHandler } from "session-progress/node";
import { testEventStream } from "../../contracts/event-stream.ts";
import { serve } from "../../support/http-server.ts";

testEventStream("node:http", async (bus, options, before) => {
  const handle = sseHandler(bus, options);
  const { origin, server, close } = await serve((req, res) => {
    for (const [name, value] of Object.entries(before)) res.setHeader(name, value);
    void handle(req, res);
  });
  return { url: `${origin}/events`, server, close };
});
