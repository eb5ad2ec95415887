import { sseHandler } from "session-progress/node";
import { testEventStream } from "../../contracts/event-stream.ts";
import { serve } from "../../support/http-server.ts";

testEventStream("node:http", async (bus, options) => {
  const { origin, close } = await serve(sseHandler(bus, options));
  return { url: `${origin}/events`, close };
});
