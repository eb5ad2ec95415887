import type { SessionEventBus } from "../bus/session-event-bus.ts";
import { type Hub } from "../bus/hub.ts";
import { filling, hubOf } from "../bus/hub-of.ts";
import type { AgentEvent } from "../protocol/event.ts";
import { type Close, CLOSE_CLOSING, CLOSE_ENDED, CLOSE_TOO_MANY } from "../protocol/names.ts";
import { checkSessionId } from "../protocol/session-id.ts";
import { catchRejection } from "../runtime/diagnostics.ts";
import { checkOptionNames, checkWhole, mismatch, notAFunction } from "../runtime/errors.ts";
import { admission, admitting } from "../transport/admission.ts";
import { Connection } from "../transport/connection.ts";
import { JSON_MESSAGES_KEY, jsonMessages } from "../transport/websocket/json-messages.ts";
import { unwrapped, type WebSocketLike } from "../transport/websocket/web-socket-like.ts";
import { WebSocketPeer } from "../transport/websocket/web-socket-peer.ts";

export type { WebSocketLike } from "../transport/websocket/web-socket-like.ts";

/** Options of {@link followOverWebSocket}. */
export interface WebSocketOptions {
  /**
   * The id of the last message that the client has seen.
   *
   * @defaultValue from the log's start
   */
  after?: string | undefined;
  /**
   * Which agent events this client sees: those for which it says `true`. What it withholds counts as received. One
   * that throws, or answers anything but a boolean, withholds, and the `error` hook is told.
   */
  filter?: ((event: AgentEvent) => boolean) | undefined;
  /**
   * Milliseconds of silence after which a ping is sent, so that proxies keep the connection; where the socket has
   * no `ping`, a message `{ id, event: { t: "ping" } }`, which clients ignore.
   *
   * @defaultValue 15,000
   */
  keepAliveMs?: number | undefined;
  /**
   * A client that takes nothing for so many milliseconds is cut off; it may come back and resume.
   *
   * @defaultValue 30,000
   */
  writeDeadlineMs?: number | undefined;
  /**
   * Closes each connection after so many milliseconds (code 4000); clients come back.
   *
   * @defaultValue never
   */
  maxStreamMs?: number | undefined;
  /** What `bus.disconnect`'s `where` gets for this connection. */
  request?: unknown;
}

/**
 * Follows a session over a WebSocket that is open: one JSON message `{ id, event }` an entry, first a
 * `{ id, event: { t: "ready", resume } }`.
 *
 * The rules are those of the event stream: gaps, resume with `after`, deadlines. Closed with 1000 after the
 * session's end; with 4000, 4001 (the bus closes) or 4008 (too slow, or the socket dropped a message) the client may
 * come back.
 *
 * @returns Stops following. To be called in the `close` handler of sockets without `addEventListener` (Bun,
 *   Hono's helper).
 * @throws {TypeError} If an argument is malformed.
 * @example
 * ```ts
 * wss.on("connection", (socket, req) => followOverWebSocket(bus, sessionIdOf(req), socket));
 * ```
 */
export function followOverWebSocket(
  bus: SessionEventBus,
  sessionId: string,
  socket: WebSocketLike,
  options: WebSocketOptions = {},
): () => void {
  const hub = hubOf(bus);
  checkSessionId(sessionId);
  if (typeof (socket as Partial<WebSocketLike> | undefined)?.send !== "function") {
    throw mismatch("socket", "a WebSocket", socket);
  }
  checkOptionNames("followOverWebSocket", options, NAMES);
  const { after = "", filter, request } = options;
  const { keepAliveMs = 15_000, writeDeadlineMs = 30_000, maxStreamMs = Infinity } = options;
  checkWhole("keepAliveMs", keepAliveMs, 1);
  checkWhole("writeDeadlineMs", writeDeadlineMs, 1);
  if (maxStreamMs !== Infinity) checkWhole("maxStreamMs", maxStreamMs, 1);
  if (filter !== undefined && typeof filter !== "function") throw notAFunction("filter", filter);
  const peer = new WebSocketPeer(hub.ticker, unwrapped(socket), (thrown) => {
    hub.faults.tell(thrown, sessionId);
  });
  const begin = (): void => {
    if (peer.isOver) return;
    const admitted = admission(hub, sessionId, after, false);
    if (admitted.kind !== "follow") {
      turnAway(hub, socket, CLOSES[admitted.kind]);
      return;
    }
    const session = hub.join(sessionId);
    const limits = { keepAliveMs, writeDeadlineMs, maxStreamMs };
    const format = jsonMessages(peer.ping === undefined ? keepAliveMs : undefined);
    const start = { ...admitted.start, request, admit: admitting(hub, session, filter) };
    new Connection(hub, session, peer, format, JSON_MESSAGES_KEY, limits, start);
  };
  const filled = filling(hub, sessionId);
  if (filled === undefined) begin();
  else void filled.then(begin);
  return peer.left;
}

const NAMES: Readonly<Record<keyof WebSocketOptions, 1>> = {
  after: 1,
  filter: 1,
  keepAliveMs: 1,
  writeDeadlineMs: 1,
  maxStreamMs: 1,
  request: 1,
};

const CLOSES: Readonly<Record<"closing" | "unknown" | "over" | "full", Close>> = {
  closing: CLOSE_CLOSING,
  unknown: CLOSE_CLOSING,
  over: CLOSE_ENDED,
  full: CLOSE_TOO_MANY,
};

/** Closes a socket that is not followed; one that throws must not take its server's handler along. */
function turnAway(hub: Hub, socket: WebSocketLike, how: Close): void {
  const failed = (thrown: unknown): void => {
    hub.faults.tell(thrown);
  };
  try {
    catchRejection(socket.close(...how), failed);
  } catch (thrown) {
    failed(thrown);
  }
}
