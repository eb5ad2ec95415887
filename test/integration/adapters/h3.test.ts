import { H3, fromNodeHandler, toNodeHandler } from "h3";
import { createApp, defineEventHandler, fromNodeMiddleware, setResponseHeaders, toNodeListener } from "h3-v1";
import { sseHandler } from "session-progress/node";
import { testEventStream } from "../../contracts/event-stream.ts";
import { serve } from "../../support/http-server.ts";

testEventStream("h3, as Nitro 2 and Nuxt have it", async (bus, options, before) => {
  const app = createApp();
  app.use(defineEventHandler((event) => setResponseHeaders(event, before as Record<string, string>)));
  app.use("/events", fromNodeMiddleware(sseHandler(bus, options)));
  const { origin, server, close } = await serve(toNodeListener(app));
  return { url: `${origin}/events`, server, close };
});

testEventStream(
  "h3 2",
  async (bus, options) => {
    const app = new H3();
    app.all("/events", fromNodeHandler(sseHandler(bus, options)));
    const { origin, server, close } = await serve(toNodeHandler(app));
    return { url: `${origin}/events`, server, close };
  },
  // It keeps headers for the response that it makes itself.
  { middleware: false },
);
