import type { BusCore } from "../bus/hub.ts";
import { runOutside } from "../runtime/async-context.ts";
import type { AgentEvent, SessionEvent } from "../protocol/event.ts";
import { RESET, type Resume } from "../bus/iterate.ts";
import type { Chunk } from "./sse/shared-frames.ts";
import type { Follower, Session } from "../bus/session.ts";
import { type Beating, monotonicNow } from "../runtime/timers.ts";

/**
 * The other end of a connection: the one seam that adapters fill. `P` is what it takes: bytes, messages.
 *
 * Its methods do not throw because the peer has left; its listener's `onClose` is the only sign of that.
 */
export interface Peer<P> {
  /** Hands `payload` on. `false`: it takes no more for now, wait for `onDrain`. */
  write(payload: P): boolean;
  /** Bytes that were written and have not left the process. */
  readonly pending: number;
  /** Pushes out what the runtime holds back until the end of the turn. */
  flush?(): void;
  /** Ends the connection after what was written; `onClose` follows. */
  end(why: EndReason): void;
  /** Cuts the connection; `onClose` follows. */
  destroy(): void;
  /** Set by the connection: whom to tell. */
  listener: PeerListener | undefined;
}

/** What a peer tells. */
export interface PeerListener {
  /** The peer takes more again. */
  onDrain(): void;
  /** Nothing more can be written, or all was; called once. */
  onClose(): void;
}

/** Why a connection ends: its session did, the follower is to come back, or the bus closes. */
export type EndReason = "ended" | "disconnected" | "closing";

/** What a connection says, in the format of its transport. */
export interface Wire<P> {
  /** The first words: where this follower stands. */
  ready(session: Session, position: number, resume: Resume): P;
  /** What follows `position`, as much as makes one write; `undefined` when there is nothing. */
  after(session: Session, position: number, admit: Admit | undefined): Chunk<P> | undefined;
  /** Encodes what `after` will be asked for by many. */
  prepare?(session: Session, position: number): void;
  /** Said after a silence of `keepAliveMs`. */
  readonly keepAlive?: P;
  /** The last words when the bus closes. */
  closing?(): P;
}

/** Whether a follower sees an event. */
export type Admit = (event: SessionEvent) => boolean;

/** How long a connection may take. */
export interface ConnectionLimits {
  readonly keepAliveMs: number;
  readonly writeDeadlineMs: number;
  readonly maxStreamMs: number;
}

/** Where a connection starts, and who asked for it. */
export interface ConnectionStart {
  readonly position: number;
  readonly resume: Resume;
  readonly request: unknown;
  readonly filter: ((event: AgentEvent) => boolean) | undefined;
}

/** What of one turn may be unsent before a follower that could keep up so far counts as slow. */
const MAX_UNSENT_OF_TURN = 1 << 20;

/**
 * One follower over the network: a cursor that writes what lies after its position, as far as its peer takes
 * it.
 *
 * It owns no queue. A peer that stops reading just lags; what its log compacts meanwhile becomes a gap.
 */
export class Connection<P> implements Follower, Beating, PeerListener {
  session: Session;
  readonly request: unknown;
  readonly #core: BusCore;
  readonly #peer: Peer<P>;
  readonly #wire: Wire<P>;
  readonly #limits: ConnectionLimits;
  readonly #admit: Admit | undefined;
  readonly #beatMs: number;
  readonly #openedAt = monotonicNow();
  #position: number;
  /** Whether the peer has not taken what was written. */
  #blocked = false;
  /** Beats since it last did, and since anything was written: a clock would be read for each write. */
  #blockedBeats = 0;
  #blockedPending = Infinity;
  #silentBeats = 0;
  /** Which turn was looked at last, and whether the peer had kept up when that turn began. */
  #turn = 0;
  #keptUp = false;
  #sprinting = false;
  #ended = false;

  constructor(
    core: BusCore,
    session: Session,
    peer: Peer<P>,
    wire: Wire<P>,
    limits: ConnectionLimits,
    start: ConnectionStart,
  ) {
    this.session = session;
    this.request = start.request;
    this.#core = core;
    this.#peer = peer;
    this.#wire = wire;
    this.#limits = limits;
    this.#position = start.position;
    this.#admit = start.filter && withheldWhenThrowing(core, session.id, start.filter);
    this.#beatMs = Math.max(5, Math.min(limits.keepAliveMs, limits.writeDeadlineMs, limits.maxStreamMs) / 4);
    peer.listener = this;
    this.#open(start.resume);
  }

  /** Says the first words and attaches: all in one turn, so that nothing falls between log and live. */
  #open(resume: Resume): void {
    if (resume === "reset") this.#core.told(this.session.id, RESET);
    this.#core.connections.add(this);
    this.#core.pulse.join(this, this.#beatMs);
    this.session.add(this);
    this.#write(this.#wire.ready(this.session, this.#position, resume));
    // The first words are no reason to wait before the log: together they are the first write.
    this.#blocked = false;
    this.#keptUp = this.#position === this.session.log.head;
    runOutside(pump, this);
  }

  prepare(): boolean {
    if (this.#blocked || this.#admit !== undefined) return false;
    this.#wire.prepare?.(this.session, this.#position);
    return true;
  }

  pump(early: boolean): void {
    if (this.#ended) return;
    const { turn } = this.#core;
    if (this.#turn !== turn.number) {
      this.#turn = turn.number;
      this.#sprinting = this.#keptUp && !this.#blocked;
    }
    while (this.#mayWrite()) {
      const chunk = this.#wire.after(this.session, this.#position, this.#admit);
      if (chunk === undefined) {
        this.#keptUp = true;
        break;
      }
      this.#send(chunk);
    }
    if (early) this.#peer.flush?.();
  }

  beat(now: number): void {
    const { keepAliveMs, writeDeadlineMs, maxStreamMs } = this.#limits;
    if (this.#blocked && this.#stalledFor(writeDeadlineMs)) {
      this.destroy();
    } else if (!this.#ended && now - this.#openedAt >= maxStreamMs) {
      this.disconnect(false);
    } else if (!this.#blocked && (++this.#silentBeats + 1) * this.#beatMs > keepAliveMs) {
      if (this.#wire.keepAlive !== undefined) this.#write(this.#wire.keepAlive);
    }
  }

  /** Ends the connection without an `end` event; the client comes back after its reconnection time. */
  disconnect(closing: boolean): void {
    if (this.#ended) return;
    if (closing && this.#wire.closing) this.#write(this.#wire.closing());
    this.#finish(closing ? "closing" : "disconnected");
  }

  destroy(): void {
    try {
      this.#peer.destroy();
    } catch (thrown) {
      this.#lost(thrown);
    }
  }

  /** Whether the peer has taken nothing at all for so long. To be asked once a beat. */
  #stalledFor(ms: number): boolean {
    const { pending } = this.#peer;
    if (pending < this.#blockedPending) this.#blockedBeats = 0;
    this.#blockedPending = pending;
    return ++this.#blockedBeats * this.#beatMs > ms;
  }

  /** A peer that throws is gone: what it throws must reach neither the reporter nor another follower. */
  #lost(thrown: unknown): void {
    this.#core.hooks.fail(thrown, this.session.id);
    this.onClose();
  }

  /**
   * Whoever had kept up when the turn began is slow only when much of that turn is unsent, whatever `write`
   * answered: Node's http corks a socket for the whole turn, so its answer says nothing about the peer.
   */
  #mayWrite(): boolean {
    if (this.#ended) return false;
    if (!this.#blocked) return true;
    return this.#sprinting && this.#core.turn.active && this.#peer.pending < MAX_UNSENT_OF_TURN;
  }

  #send(chunk: Chunk<P>): void {
    // A filter may have ended this very connection.
    if (this.#ended) return;
    this.#position = chunk.to;
    if (chunk.payload !== undefined) this.#write(chunk.payload);
    for (const gap of chunk.gaps) this.#core.told(this.session.id, gap);
    if (chunk.ended) this.#finish("ended");
  }

  #write(payload: P): void {
    this.#silentBeats = 0;
    try {
      if (!this.#peer.write(payload)) this.#block();
    } catch (thrown) {
      this.destroy();
      this.#lost(thrown);
    }
  }

  onDrain(): void {
    // After the end the deadline runs on: all that is left is to take what was written.
    if (this.#ended) return;
    this.#blocked = false;
    this.pump(false);
  }

  #block(): void {
    if (this.#blocked) return;
    this.#blocked = true;
    this.#blockedBeats = 0;
    this.#blockedPending = Infinity;
    this.#keptUp = false;
  }

  #finish(why: EndReason): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#block();
    this.#leave();
    try {
      this.#peer.end(why);
    } catch (thrown) {
      this.#lost(thrown);
    }
  }

  onClose(): void {
    this.#ended = true;
    this.#leave();
    this.#core.pulse.leave(this, this.#beatMs);
    this.#core.disconnected(this);
  }

  #leave(): void {
    this.session.remove(this);
    this.#core.sessions.left(this.session);
  }
}

function pump(connection: Connection<unknown>): void {
  connection.pump(false);
}

function withheldWhenThrowing(
  core: BusCore,
  sessionId: string,
  filter: (event: AgentEvent) => boolean,
): Admit {
  return (event) => {
    try {
      return event.t !== "agent_event" || filter(event);
    } catch (thrown) {
      core.hooks.fail(thrown, sessionId);
      return false;
    }
  };
}
