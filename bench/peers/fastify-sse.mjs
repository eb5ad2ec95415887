import fastifySse from "@fastify/sse";
import { fastify } from "fastify";
import { Followers, getEvents, nextEvent } from "../lib/workload.mjs";

/** Fastify with its own plugin. */
export async function start({ keepAliveMs }) {
  const followers = new Followers();
  const app = fastify();
  await app.register(fastifySse, { heartbeatInterval: keepAliveMs ?? 30_000 });
  app.get("/events", { sse: "only" }, async (request, reply) => {
    reply.sse.keepAlive();
    reply.sse.sendHeaders();
    const remove = followers.add(request.query.session_id, reply.sse);
    reply.sse.onClose(remove);
  });
  await app.listen({ port: 0, host: "127.0.0.1", backlog: 4096 });
  return {
    port: app.server.address().port,
    greeting: getEvents,
    followers: () => followers.count,
    turn(sessions, events, message) {
      for (const session of sessions) {
        for (let n = 0; n < events; n++) {
          const { id, data } = nextEvent(message);
          for (const sse of followers.of(session)) void sse.send({ id, event: "agent", data });
        }
      }
    },
    problems: () => [],
  };
}
