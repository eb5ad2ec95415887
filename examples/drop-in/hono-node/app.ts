// A Hono app. What session-progress adds to it is marked with (+).
import { Hono } from "hono";
import { compress } from "hono/compress";
import { cors } from "hono/cors";
import { secureHeaders } from "hono/secure-headers";
import { createEventBus } from "session-progress"; // (+)
import { sseHandler } from "session-progress/hono"; // (+)
import { logIn, userOf } from "../users.ts";
import { writeReport } from "../write-report.ts";

interface Env {
  Variables: { user: string | undefined };
}

export const bus = createEventBus(); // (+)

const api = new Hono<Env>();

api.use(async (c, next) => {
  c.set("user", userOf(c.req.header("cookie")));
  await next();
});

api.post("/login", async (c) => {
  const { user } = await c.req.json<{ user: string }>();
  c.header("Set-Cookie", logIn(user));
  return c.body(null, 204);
});

api.post("/reports", async (c) => {
  const { topic } = await c.req.json<{ topic: string }>();
  if (c.var.user === undefined) return c.body(null, 401);
  const { sessionId } = bus.start(() => writeReport(topic), { owner: c.var.user }); // (+)
  return c.json({ sessionId }, 202);
});

api.get("/events", sseHandler<Env>(bus, { authorize: (c, _, owner) => c.var.user === owner })); // (+)

export const app = new Hono();
app.use(secureHeaders(), cors(), compress());
app.route("/api", api);
