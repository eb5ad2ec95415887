import Koa from "koa";
import { sseHandler } from "session-progress/node";
import { testEventStream } from "../../contracts/event-stream.ts";
import { serve } from "../../support/http-server.ts";

testEventStream("Koa", async (bus, options, before) => {
  const app = new Koa();
  const events = sseHandler(bus, options);
  app.use((ctx) => {
    for (const [name, value] of Object.entries(before)) ctx.set(name, [value].flat());
    ctx.respond = false;
    void events(ctx.req, ctx.res);
  });
  const { origin, server, close } = await serve(app.callback());
  return { url: `${origin}/events`, server, close };
});
