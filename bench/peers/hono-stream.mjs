import { clearInterval, setInterval } from "node:timers";
import { createAdaptorServer } from "@hono/node-server";
import { Hono } from "hono";
import { streamSSE } from "hono/streaming";
import { listen } from "../lib/http.mjs";
import { Followers, getEvents, nextEvent } from "../lib/workload.mjs";

/** Hono's own `streamSSE` on Node. */
export async function start({ keepAliveMs }) {
  const followers = new Followers();
  const app = new Hono();
  app.get("/events", (c) =>
    streamSSE(c, async (stream) => {
      const remove = followers.add(c.req.query("session_id"), stream);
      const timer = keepAliveMs && setInterval(() => stream.write(": keep-alive\n\n"), keepAliveMs);
      await new Promise((resolve) => stream.onAbort(resolve));
      remove();
      clearInterval(timer);
    }),
  );
  const port = await listen(createAdaptorServer({ fetch: app.fetch }));
  return {
    port,
    greeting: getEvents,
    followers: () => followers.count,
    turn(sessions, events, message) {
      for (const session of sessions) {
        for (let n = 0; n < events; n++) {
          const { id, data } = nextEvent(message);
          for (const stream of followers.of(session)) {
            void stream.writeSSE({ id, event: "agent", data: JSON.stringify(data) });
          }
        }
      }
    },
    problems: () => [],
  };
}
