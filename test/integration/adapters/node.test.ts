import { sseHandler } from "session-progress/node";
import { testEventStream } from "../../contracts/event-stream.ts";
import { listen } from "../../support/http-server.ts";

testEventStream("node:http", async (bus, options) => {
  const { origin, close } = await listen(sseHandler(bus, options));
  return { url: `${origin}/events`, close };
});
