import type { Follower, Session } from "../bus/session.ts";
import type { Hub } from "../bus/hub.ts";
import { Cursor, type Start } from "../log/cursor.ts";
import { runOutside } from "../runtime/async-context.ts";
import { warn } from "../runtime/diagnostics.ts";
import { monotonicNow } from "../runtime/timers.ts";
import type { Ticking } from "../runtime/ticker.ts";
import type { EncodedBatch, Format } from "./format.ts";
import type { EndReason, Peer, PeerListener } from "./peer.ts";
import { type Admit, SharedBatches } from "./shared-batches.ts";

/** How long a connection may take. */
export interface ConnectionLimits {
  readonly keepAliveMs: number;
  readonly writeDeadlineMs: number;
  readonly maxStreamMs: number;
}

/** Where a connection starts, and who asked for it. */
export interface ConnectionStart extends Start {
  readonly request: unknown;
  /** What brought it and may bring more. */
  readonly carrier?: object | undefined;
  /** Which entries it sees; `undefined`: all. */
  readonly admit: Admit | undefined;
}

/** What of one turn may be unsent before a follower that could keep up so far counts as slow. */
const MAX_UNSENT_OF_TURN = 1 << 20;

/** A follower that has waited so long for a session to be opened may wait for the wrong one. */
const WAITS_MS = 5_000;
const WAITING =
  "A follower has waited for some seconds for a session that nobody has opened here, and waits on. Usual causes: a " +
  "wrong session id; a second event bus, in another bundle or copy of a module (see `createEventBus({ singleton })`); a " +
  "process that was restarted, or is another one. With `mustExist: true` a handler answers 404 instead";

/** More than a peer ever has. */
const UNKNOWN_PENDING = 2 ** 30;

/**
 * One follower over the network: a cursor that writes what lies after its position, as far as its peer takes
 * it.
 *
 * It owns no queue. A peer that stops reading just lags; what its log compacts meanwhile becomes a gap.
 */
export class Connection<P> implements Follower, Ticking, PeerListener {
  readonly request: unknown;
  readonly carrier: object | undefined;
  readonly #hub: Hub;
  readonly #session: Session;
  readonly #cursor: Cursor;
  readonly #shared: SharedBatches<P>;
  readonly #peer: Peer<P>;
  readonly #format: Format<P>;
  readonly #limits: ConnectionLimits;
  readonly #admit: Admit | undefined;
  readonly #tickMs: number;
  /** Whole milliseconds: an idle follower pays for each number that is no small integer. */
  readonly #openedAt = Math.trunc(monotonicNow());
  /** Whether the peer has not taken what was written. */
  #blocked = false;
  /** Ticks since the peer last took something. Counted, so that a write does not read the clock. */
  #blockedTicks = 0;
  #blockedPending = UNKNOWN_PENDING;
  /** Ticks since the last write. */
  #silentTicks = 0;
  /** Which turn was looked at last, and whether the peer had taken everything when that turn began. */
  #turn = 0;
  #wasDrained = false;
  #inBurst = false;
  #ended = false;

  constructor(
    hub: Hub,
    session: Session,
    peer: Peer<P>,
    format: Format<P>,
    key: object,
    limits: ConnectionLimits,
    start: ConnectionStart,
  ) {
    this.request = start.request;
    this.carrier = start.carrier;
    this.#hub = hub;
    this.#session = session;
    this.#cursor = new Cursor(session, start);
    this.#shared = sharedBatches(hub, session, format, key);
    this.#peer = peer;
    this.#format = format;
    this.#limits = limits;
    this.#admit = start.admit;
    this.#tickMs = Math.max(5, Math.min(limits.keepAliveMs, limits.writeDeadlineMs, limits.maxStreamMs) / 4);
    peer.listener = this;
    hub.followers.connected(this);
    this.#open();
  }

  /** Says the first words and attaches: all in one turn, so that nothing falls between log and live. */
  #open(): void {
    this.#hub.ticker.join(this, this.#tickMs);
    this.#hub.followers.attach(this.#session, this);
    this.#write(this.#format.ready(this.#cursor));
    // The first words are no reason to wait before the log: together they are the first write.
    this.#blocked = false;
    this.#wasDrained = this.#cursor.atHead;
    runOutside(pump, this);
  }

  prepare(): boolean {
    if (this.#blocked || this.#admit !== undefined || this.#cursor.isReset) return false;
    this.#shared.after(this.#cursor);
    return true;
  }

  pump(early: boolean): void {
    if (this.#ended) return;
    const { scheduler } = this.#hub.followers;
    if (this.#turn !== scheduler.turn) {
      this.#turn = scheduler.turn;
      this.#inBurst = this.#wasDrained && !this.#blocked;
    }
    while (this.#mayWrite()) {
      const batch =
        this.#admit === undefined
          ? this.#shared.after(this.#cursor)
          : this.#shared.withheld(this.#cursor, this.#admit);
      if (batch === undefined) {
        this.#wasDrained = true;
        break;
      }
      // Filters and eviction may have pumped this very connection meanwhile.
      if (this.#cursor.isBefore(batch)) this.#send(batch);
    }
    if (early) this.#peer.flush?.();
  }

  tick(now: number): void {
    const { keepAliveMs, writeDeadlineMs, maxStreamMs } = this.#limits;
    if (!this.#session.opened && !this.#ended && now - this.#openedAt >= WAITS_MS) this.#tellWaiting();
    if (this.#blocked && this.#stalledFor(writeDeadlineMs)) {
      this.destroy();
    } else if (!this.#ended && now - this.#openedAt >= maxStreamMs) {
      this.disconnect(false);
    } else if (!this.#blocked && (++this.#silentTicks + 1) * this.#tickMs > keepAliveMs) {
      this.#keepAlive();
    }
  }

  #keepAlive(): void {
    if (this.#peer.ping === undefined) {
      this.#write(this.#format.keepAlive(this.#cursor));
    } else {
      this.#silentTicks = 0;
      this.#peer.ping();
    }
  }

  /** Ends the connection without an `end` event; the client comes back after its reconnection time. */
  disconnect(closing: boolean): void {
    if (this.#ended) return;
    if (closing && this.#format.closing) this.#write(this.#format.closing());
    this.#finish(closing ? "closing" : "disconnected");
  }

  destroy(): void {
    try {
      this.#peer.destroy();
    } catch (thrown) {
      this.#lost(thrown);
    }
  }

  /** Once a bus: followers that wait are usual where clients choose the ids. */
  #tellWaiting(): void {
    const { followers } = this.#hub;
    if (followers.toldWaiting) return;
    followers.toldWaiting = true;
    warn(WAITING);
  }

  /** Counts one more tick in which the peer has taken nothing; whether that makes more than `ms`. */
  #stalledFor(ms: number): boolean {
    const { pending } = this.#peer;
    if (pending < this.#blockedPending) this.#blockedTicks = 0;
    this.#blockedPending = pending;
    return ++this.#blockedTicks * this.#tickMs > ms;
  }

  /** A peer that throws is gone: what it throws must reach neither the reporter nor another follower. */
  #lost(thrown: unknown): void {
    this.#hub.faults.tell(thrown, this.#session.id);
    this.onClose();
  }

  /**
   * A follower that had taken everything when the turn began is slow only when much of that turn is unsent,
   * whatever `write` answered: Node's http corks a socket for the whole turn, so its answer says nothing about the
   * peer.
   */
  #mayWrite(): boolean {
    if (this.#ended) return false;
    if (!this.#blocked) return true;
    return this.#inBurst && this.#hub.followers.scheduler.active && this.#peer.pending < MAX_UNSENT_OF_TURN;
  }

  #send(batch: EncodedBatch<P>): void {
    // A filter may have ended this very connection.
    if (this.#ended) return;
    this.#cursor.advance(batch);
    if (batch.payload !== undefined) this.#write(batch.payload);
    for (const gap of batch.gaps) this.#hub.followers.countGap(this.#session, gap);
    if (this.#cursor.atEnd) this.#finish("ended");
  }

  #write(payload: P): void {
    this.#silentTicks = 0;
    try {
      if (!this.#peer.write(payload)) this.#block();
    } catch (thrown) {
      // Nobody knows how much of it went out: the client comes back and resumes.
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
    this.#blockedTicks = 0;
    this.#blockedPending = UNKNOWN_PENDING;
    this.#wasDrained = false;
  }

  #finish(why: EndReason): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#block();
    this.#hub.followers.detach(this.#session, this);
    try {
      this.#peer.end(why);
    } catch (thrown) {
      this.#lost(thrown);
    }
  }

  onClose(): void {
    this.#ended = true;
    this.#hub.followers.detach(this.#session, this);
    this.#hub.ticker.leave(this, this.#tickMs);
    this.#hub.followers.disconnected(this);
  }
}

function pump(connection: Connection<unknown>): void {
  connection.pump(false);
}

/** What is encoded of `session` under `key`, for all who speak the same. */
function sharedBatches<P>(hub: Hub, session: Session, format: Format<P>, key: object): SharedBatches<P> {
  return hub.eviction.cacheOf(session, key, (count) => new SharedBatches(session, format, count));
}
