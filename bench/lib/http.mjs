import { once } from "node:events";

/** Starts `server` on a free port of the loopback interface. */
export async function listen(server) {
  server.listen({ port: 0, host: "127.0.0.1", backlog: 4096 });
  await once(server, "listening");
  return server.address().port;
}

export const EVENT_STREAM = {
  "Content-Type": "text/event-stream; charset=utf-8",
  "Cache-Control": "no-cache, no-transform",
  "X-Accel-Buffering": "no",
  Connection: "keep-alive",
};

/** The `session_id` that was asked for. */
export function sessionOf(url) {
  return url.slice(url.indexOf("session_id=") + "session_id=".length);
}
