import Koa from "koa";
import { sseHandler } from "session-progress/node";
import { testEventStream } from "../../contracts/event-stream.ts";
import { serve } from "../../support/http-server.ts";

testEventStream("Koa", async (bus, options) => {
  const app = new Koa();
  const events = sseHandler(bus, options);
  app.use((ctx) => {
    ctx.respond = false;
    events(ctx.req, ctx.res);
  });
  const { origin, close } = await serve(app.callback());
  return { url: `${origin}/events`, close };
});
