import { type BusCore, coreOf } from "../bus/hub.ts";
import type { SessionEventBus } from "../bus/create-event-bus.ts";
import {
  type Admit,
  Connection,
  type EndReason,
  type Peer,
  type PeerListener,
  type Wire,
} from "../transport/connection.ts";
import { mismatch } from "../runtime/errors.ts";
import type { AgentEvent, GapEvent } from "../protocol/event.ts";
import { RESET, resumeAt } from "../bus/iterate.ts";
import type { Chunk } from "../transport/sse/shared-frames.ts";
import type { Session } from "../bus/session.ts";
import { checkSessionId, checkWhole } from "../bus/session-registry.ts";
import type { Beating } from "../runtime/timers.ts";

/** What a WebSocket needs: `ws`, Bun, Deno, Cloudflare and Hono's helper all have it. */
export interface WebSocketLike {
  send(message: string): unknown;
  close(code?: number, reason?: string): unknown;
  /** Bytes that `send` took and have not left the process. Where it is missing there is no back-pressure. */
  readonly bufferedAmount?: number | undefined;
  /** 2 and 3 mean that it is over. */
  readonly readyState?: number | undefined;
  addEventListener?(type: "close" | "error", listener: () => void): unknown;
  /** Cuts the connection, where there is such a thing. */
  terminate?(): unknown;
}

/** Options of {@link followOverWebSocket}. */
export interface WebSocketOptions {
  /** The id of the last message that the client has seen. Default: from the log's start. */
  after?: string | undefined;
  /** Which agent events this client sees; what it withholds counts as received. One that throws withholds. */
  filter?: ((event: AgentEvent) => boolean) | undefined;
  /** A client that takes nothing for so long is cut off; it may come back and resume. Default 30,000. */
  writeDeadlineMs?: number | undefined;
  /** Closes each connection after so long (code 4000); clients come back. Default: never. */
  maxStreamMs?: number | undefined;
  /** What `bus.disconnect`'s `where` gets for this connection. */
  request?: unknown;
}

const CLOSE: Record<EndReason, [code: number, reason: string]> = {
  ended: [1000, "end"],
  disconnected: [4000, "reconnect"],
  closing: [4001, "closing"],
};
const TOO_SLOW: [number, string] = [4008, "too slow"];
const TOO_MANY: [number, string] = [4029, "too many followers"];
const HIGH_WATER_MARK = 65_536;
const DRAIN_POLL_MS = 20;

/**
 * Follows a session over a WebSocket that is open: one JSON message `{ id, event }` an entry, first a
 * `{ id, event: { t: "ready", resume } }`.
 *
 * The rules are those of the event stream: gaps, resume with `after`, deadlines. Closed with 1000 after the
 * session's end; with 4000, 4001 (the bus closes) or 4008 (too slow) the client may come back.
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
  const core = coreOf(bus);
  checkSessionId(sessionId);
  if (typeof (socket as Partial<WebSocketLike> | undefined)?.send !== "function") {
    throw mismatch("socket", "a WebSocket", socket);
  }
  const { after = "", filter, writeDeadlineMs = 30_000, maxStreamMs = Infinity, request } = options;
  checkWhole("writeDeadlineMs", writeDeadlineMs, 1);
  if (maxStreamMs !== Infinity) checkWhole("maxStreamMs", maxStreamMs, 1);
  const peer = new WebSocketPeer(core, socket);
  const known = core.sessions.find(sessionId);
  const from = resumeAt(known, after);
  if ((socket.readyState ?? 1) > 1) return peer.left;
  if (core.closing) turnAway(core, socket, CLOSE.closing);
  else if (known?.isOverAt(from.position)) turnAway(core, socket, CLOSE.ended);
  else if (core.isFull(known)) turnAway(core, socket, TOO_MANY);
  else {
    const limits = { keepAliveMs: Infinity, writeDeadlineMs, maxStreamMs };
    const start = { ...from, request, filter };
    new Connection(core, core.sessions.join(sessionId), peer, messageWire, limits, start);
  }
  return peer.left;
}

/** Closes a socket that is not followed; one that throws must not take its server's handler along. */
function turnAway(core: BusCore, socket: WebSocketLike, how: [code: number, reason: string]): void {
  try {
    socket.close(...how);
  } catch (thrown) {
    core.hooks.fail(thrown);
  }
}

/** Connections speak JSON messages, many to a write. */
const messageWire: Wire<readonly string[]> = {
  ready(session, position, resume) {
    const id = session.idAt(position);
    const ready = JSON.stringify({ id, event: { t: "ready", resume } });
    return resume === "reset" ? [ready, JSON.stringify({ id, event: RESET })] : [ready];
  },
  after: collectMessages,
};

function collectMessages(
  session: Session,
  position: number,
  admit: Admit = () => true,
): Chunk<readonly string[]> | undefined {
  const { log } = session;
  const messages: string[] = [];
  const gaps: GapEvent[] = [];
  let to = position;
  let length = 0;
  let ended = false;
  for (let step = log.read(to); step !== undefined && length < HIGH_WATER_MARK; step = log.read(to)) {
    to = step.position;
    if (!admit(step.event)) continue;
    const message = `{"id":"${session.idAt(to)}","event":${session.frames.json(step)}}`;
    messages.push(message);
    length += message.length;
    if (step.event.t === "gap") gaps.push(step.event);
    ended ||= step.event.t === "session_end";
  }
  if (to === position) return undefined;
  return { from: position, to, payload: messages.length === 0 ? undefined : messages, gaps, ended };
}

class WebSocketPeer implements Peer<readonly string[]>, Beating {
  listener: PeerListener | undefined;
  readonly #core: BusCore;
  readonly #socket: WebSocketLike;
  #over = false;

  constructor(core: BusCore, socket: WebSocketLike) {
    this.#core = core;
    this.#socket = socket;
    socket.addEventListener?.("close", this.left);
    socket.addEventListener?.("error", this.left);
  }

  get pending(): number {
    return this.#socket.bufferedAmount ?? 0;
  }

  write(messages: readonly string[]): boolean {
    try {
      for (const message of messages) this.#socket.send(message);
    } catch {
      // Every runtime throws another error when the socket is closing; its `close` may never come.
      this.left();
      return false;
    }
    if (this.pending <= HIGH_WATER_MARK) return true;
    // WebSockets have no drain event.
    this.#core.pulse.join(this, DRAIN_POLL_MS);
    return false;
  }

  beat(): void {
    if ((this.#socket.readyState ?? 1) > 1) this.left();
    else if (this.pending <= HIGH_WATER_MARK / 2) {
      this.#core.pulse.leave(this, DRAIN_POLL_MS);
      this.listener?.onDrain();
    }
  }

  end(why: EndReason): void {
    this.left();
    this.#socket.close(...CLOSE[why]);
  }

  destroy(): void {
    this.left();
    this.#socket.close(...TOO_SLOW);
    this.#socket.terminate?.();
  }

  readonly left = (): void => {
    if (this.#over) return;
    this.#over = true;
    this.#core.pulse.leave(this, DRAIN_POLL_MS);
    this.listener?.onClose();
  };
}
