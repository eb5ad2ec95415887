import { createServer } from "node:http";
import { clearInterval, setInterval } from "node:timers";
import { EVENT_STREAM, listen, sessionOf } from "../lib/http.mjs";
import { Followers, frameOf, getEvents, nextEvent } from "../lib/workload.mjs";

/**
 * Plain Node: each event encoded once, one `res.write` an event and follower. With `history`, whoever connects
 * is sent that many events first, each encoded and written by itself.
 */
export async function start({ keepAliveMs, history = 0 }) {
  const followers = new Followers();
  const log = Array.from({ length: history }, nextEvent);
  const server = createServer((req, res) => {
    res.writeHead(200, EVENT_STREAM);
    res.flushHeaders();
    const seen = Number(req.headers["last-event-id"]?.split("-")[1] ?? 0);
    for (let at = seen; at < log.length; at++) res.write(frameOf(log[at]));
    const remove = followers.add(sessionOf(req.url), res);
    const timer = keepAliveMs && setInterval(() => res.write(": keep-alive\n\n"), keepAliveMs);
    res.once("close", () => {
      remove();
      clearInterval(timer);
    });
  });
  const port = await listen(server);
  return {
    port,
    greeting: getEvents,
    followers: () => followers.count,
    turn(sessions, events, message) {
      for (const session of sessions) {
        for (let n = 0; n < events; n++) {
          const frame = frameOf(nextEvent(message));
          for (const res of followers.of(session)) res.write(frame);
        }
      }
    },
    problems: () => [],
  };
}
