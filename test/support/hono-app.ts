import { type Handler, Hono } from "hono";
import type { HeadersBefore } from "../contracts/event-stream/adapter-under-test.ts";

/** An app with `handler` at /events, behind middleware that sets `before`. */
export function honoApp(handler: Handler, before: HeadersBefore): Hono {
  const app = new Hono();
  app.use(async (c, next) => {
    for (const [name, values] of Object.entries(before)) {
      for (const value of [values].flat()) c.header(name, value, { append: true });
    }
    await next();
  });
  app.all("/events", handler);
  return app;
}
