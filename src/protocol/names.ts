import type { SessionEvent } from "./event.ts";

/** The event type under which an event stream carries each `t`. */
export const EVENT_NAMES: Readonly<Record<SessionEvent["t"], string>> = {
  agent_event: "agent",
  run_end: "run",
  session_end: "end",
  gap: "gap",
};

/** The query parameter that names a session. */
export const SESSION_QUERY = "session_id";
/** Query parameters that carry the last event ID; the first that is there counts. Polyfills send the second. */
export const LAST_EVENT_ID_QUERY: readonly string[] = ["last_event_id", "lastEventId"];
/** The request header that carries the last event ID; it beats the query unless it is empty. */
export const LAST_EVENT_ID_HEADER = "last-event-id";

/** Code and reason with which a WebSocket is closed. */
export type Close = readonly [code: number, reason: string];

/** The session has ended: the client must not come back. */
export const CLOSE_ENDED: Close = [1000, "end"];
/** The application disconnected the client, its lifetime is over, or a message could not be sent. */
export const CLOSE_RECONNECT: Close = [4000, "reconnect"];
/** The server is closing. */
export const CLOSE_CLOSING: Close = [4001, "closing"];
/** The client took nothing within the write deadline, or its socket dropped a message. */
export const CLOSE_TOO_SLOW: Close = [4008, "too slow"];
/** The server has no room for one more follower. */
export const CLOSE_TOO_MANY: Close = [4029, "too many followers"];
