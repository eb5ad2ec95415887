import { Buffer } from "node:buffer";
import { createServer } from "node:net";
import { setInterval } from "node:timers";
import { listen } from "../lib/http.mjs";
import { Followers, frameOf, nextEvent, REPORT } from "../lib/workload.mjs";

/** The limit: no HTTP, everything encoded beforehand, one write a turn and follower. */
export async function start({ keepAliveMs }) {
  const followers = new Followers();
  const chunks = new Map();
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on("error", () => {});
    socket.once("data", (greeting) => {
      const remove = followers.add(greeting.toString("latin1").trim(), socket);
      socket.once("close", remove);
    });
  });
  const port = await listen(server);
  if (keepAliveMs !== undefined) {
    const comment = Buffer.from(": keep-alive\n\n");
    setInterval(() => followers.all().forEach((socket) => socket.write(comment)), keepAliveMs).unref();
  }
  return {
    port,
    greeting: (session) => `${session}\n`,
    followers: () => followers.count,
    turn(sessions, events, message) {
      let chunk = chunks.get(events);
      if (chunk === undefined) {
        chunk = Buffer.from(Array.from({ length: events }, () => frameOf(nextEvent(message))).join(""));
        chunks.set(events, chunk);
      }
      if (message !== undefined) {
        // A copy: the last one may still be on its way.
        chunk = Buffer.from(chunk);
        chunk.latin1Write(message, chunk.indexOf(REPORT.message));
      }
      for (const session of sessions) for (const socket of followers.of(session)) socket.write(chunk);
    },
    problems: () => [],
  };
}
