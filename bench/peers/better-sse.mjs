import { createServer } from "node:http";
import { createChannel, createSession } from "better-sse";
import { listen, sessionOf } from "../lib/http.mjs";
import { getEvents, nextEvent } from "../lib/workload.mjs";

/** better-sse, a channel for each session. */
export async function start({ keepAliveMs }) {
  const channels = new Map();
  let followers = 0;
  const server = createServer(async (req, res) => {
    const session = await createSession(req, res, { keepAlive: keepAliveMs ?? 10_000 });
    const name = sessionOf(req.url);
    let channel = channels.get(name);
    if (channel === undefined) channels.set(name, (channel = createChannel()));
    channel.register(session);
    followers++;
    session.once("disconnected", () => {
      followers--;
      if (channel.sessionCount === 0) channels.delete(name);
    });
  });
  const port = await listen(server);
  return {
    port,
    greeting: getEvents,
    followers: () => followers,
    turn(sessions, events, message) {
      for (const session of sessions) {
        const channel = channels.get(session);
        for (let n = 0; n < events; n++) {
          const { id, data } = nextEvent(message);
          channel.broadcast(data, "agent", { eventId: id });
        }
      }
    },
    problems: () => [],
  };
}
