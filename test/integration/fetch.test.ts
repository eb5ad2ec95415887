import { sseHandler } from "session-progress/fetch";
import { testEventStream } from "../contracts/event-stream.ts";
import { serveFetch } from "../support/fetch-server.ts";

testEventStream("fetch", async (bus, options) => {
  const { origin, close } = await serveFetch(sseHandler(bus, options));
  return { url: `${origin}/events`, close };
});
