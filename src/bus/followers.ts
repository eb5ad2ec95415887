import type { GapEvent } from "../protocol/event.ts";
import { runOutside } from "../runtime/async-context.ts";
import { reserveStack } from "../runtime/stack.ts";
import { CarrierShares } from "./carrier-shares.ts";
import type { Faults } from "./faults.ts";
import { FlushScheduler } from "./flush-scheduler.ts";
import type { Hooks } from "./hooks.ts";
import type { BusLimits } from "./options.ts";
import { added, type Appended, type Follower, type Listener, removed, type Session } from "./session.ts";
import type { SessionRegistry } from "./session-registry.ts";

/** What holds a socket. */
export interface Connected {
  /** What brought it and may bring more. */
  readonly carrier?: object | undefined;
  /** Ends it at once, whatever is still to be sent. */
  destroy(): void;
}

/** What brings a client's requests, many at once: an HTTP/2 session. */
export interface Carrier {
  /** Takes no further request, and ends when those that it has are answered; where its server does not see to that. */
  close?(): unknown;
  once(event: "close", listener: () => void): unknown;
}

/** Who follows which session: attaching, detaching, and offering what is new. The only counter of followers. */
export class Followers {
  readonly scheduler: FlushScheduler = new FlushScheduler(this);
  /** Followers of all sessions, listeners included. */
  count = 0;
  /** Gaps that followers were told of. */
  gaps = 0;
  /** Whether it was said that a connection waits for a session that nobody opens. */
  toldWaiting = false;
  /** Connections that hold a socket, ended ones included. */
  readonly connections: Set<Connected> = new Set<Connected>();
  readonly #shares = new CarrierShares();
  /** What has carried a request for a session and is still there. */
  readonly carriers: Set<Carrier> = new Set<Carrier>();
  readonly #registry: SessionRegistry;
  readonly #limits: BusLimits;
  readonly #hooks: Hooks;
  readonly #faults: Faults;
  readonly #dropCaches: (session: Session) => void;
  #allClosed: (() => void) | undefined;

  constructor(
    registry: SessionRegistry,
    limits: BusLimits,
    hooks: Hooks,
    faults: Faults,
    dropCaches: (session: Session) => void,
  ) {
    this.#registry = registry;
    this.#limits = limits;
    this.#hooks = hooks;
    this.#faults = faults;
    this.#dropCaches = dropCaches;
  }

  carriedBy(carrier: Carrier): void {
    if (carrier.close === undefined || this.carriers.has(carrier)) return;
    this.carriers.add(carrier);
    carrier.once("close", () => this.carriers.delete(carrier));
  }

  attach(session: Session, follower: Follower): void {
    reserveStack(2);
    if (session.followers.size === 0) offered(session);
    this.#registry.hold(session);
    session.followers = added(session.followers, follower);
    if ("request" in follower) {
      session.connections++;
      session.connected++;
    }
    if (follower.carrier !== undefined) this.#shares.count(follower.carrier, session, 1);
    this.count++;
  }

  detach(session: Session, follower: Follower): void {
    if (!removed(session.followers, follower)) return;
    if ("request" in follower) session.connections--;
    if (follower.carrier !== undefined) this.#shares.count(follower.carrier, session, -1);
    this.count--;
    if (session.followers.size === 0) this.#dropCaches(session);
    this.#registry.release(session);
  }

  /** Attaches a follower that is called inside the report. */
  listen(session: Session, listener: Listener): void {
    reserveStack(2);
    this.#registry.hold(session);
    session.listeners = added(session.listeners, listener);
    this.count++;
  }

  unlisten(session: Session, listener: Listener): void {
    if (!removed(session.listeners, listener)) return;
    this.count--;
    this.#registry.release(session);
  }

  /** Whether one more connection, to `session` and by `carrier`, would be too many. */
  isFull(session: Session | undefined, carrier?: object): boolean {
    const { maxFollowers, maxFollowersPerSession } = this.#limits;
    if (this.connections.size >= maxFollowers || (session?.connections ?? 0) >= maxFollowersPerSession)
      return true;
    return (
      carrier !== undefined && this.#shares.isFull(carrier, session, maxFollowersPerSession, maxFollowers)
    );
  }

  /** Counts a gap that a follower is told of. */
  countGap(session: Session, gap: GapEvent): void {
    this.gaps++;
    this.#hooks.emit("gap", session.id, gap, session.owner?.value ?? null);
  }

  /**
   * Calls every listener, and the `event` hook, for what was just appended.
   *
   * A trampoline: what a listener reports is delivered after the current entry, not inside it. When the stack ends in
   * here, the turn's flush hands listeners what they have missed.
   */
  deliver(session: Session, appended: Appended): void {
    if (session.undelivered !== undefined) {
      session.undelivered[session.undelivered.length] = appended;
      return;
    }
    const queue = [appended];
    session.undelivered = queue;
    try {
      runOutside(deliverAll, session, queue, this.#hooks);
    } finally {
      session.undelivered = undefined;
    }
  }

  /** Ends the followers' connections, or of those that `where` picks. Iterators have none. */
  disconnect(session: Session, where?: (request: unknown) => boolean): void {
    for (const follower of session.followers) {
      if (!("request" in follower)) continue;
      if (where === undefined || where(follower.request)) follower.disconnect(false);
    }
  }

  /**
   * Offers everything early, when half of the history is new to followers: nothing may be compacted before every
   * writable follower was offered it, and compaction keeps at most half of the history out of the tail.
   */
  makeWay(session: Session, bytes: number): void {
    if (session.followers.size === 0) return;
    const { maxEvents, maxBytes } = this.#limits.history;
    const events = session.log.head + 1 - session.offeredHead;
    const unoffered = session.unofferedBytes + bytes;
    if (events * 2 > maxEvents || unoffered * 2 > maxBytes) this.offerNow(session);
  }

  /** Offers everything to every follower, in the middle of a turn. */
  offerNow(session: Session): void {
    if (session.followers.size === 0) return;
    reserveStack(3);
    runOutside(() => {
      this.flush(session, true);
    });
  }

  prepare(session: Session): void {
    this.#faults.tellKept();
    // Most sessions have none, and even an empty one costs an iterator.
    if (session.caches.size > 0) for (const cache of session.caches.values()) cache.beginTurn();
    for (const follower of session.followers) if (follower.prepare?.()) return;
  }

  flush(session: Session, early: boolean): void {
    if (session.flushing) return;
    session.flushing = true;
    try {
      for (const follower of session.followers) this.#pump(session, follower, early);
      if (!early) for (const listener of session.listeners) listener.pump();
    } finally {
      session.flushing = false;
    }
    offered(session);
  }

  /** Counts a connection, from its first byte on. */
  connected(connection: Connected): void {
    this.connections.add(connection);
    if (connection.carrier !== undefined) this.#shares.countInAll(connection.carrier, 1);
  }

  /** Its socket is gone, or another request's. */
  disconnected(connection: Connected): void {
    if (!this.connections.delete(connection)) return;
    if (connection.carrier !== undefined) this.#shares.countInAll(connection.carrier, -1);
    if (this.connections.size === 0) this.#allClosed?.();
  }

  /** Resolves when no connection is left. */
  async allClosed(): Promise<void> {
    if (this.connections.size === 0) return;
    await new Promise<void>((resolve) => {
      this.#allClosed = resolve;
    });
  }

  /** What one follower throws must not keep others from being offered anything. */
  #pump(session: Session, follower: Follower, early: boolean): void {
    try {
      follower.pump(early);
    } catch (thrown) {
      this.#faults.tell(thrown, session.id);
    }
  }
}

function offered(session: Session): void {
  session.offeredHead = session.log.head;
  session.unofferedBytes = 0;
}

function deliverAll(session: Session, queue: readonly Appended[], hooks: Hooks): void {
  for (const appended of queue) {
    if (hooks.has("event")) hooks.emit("event", session.id, appended.entry, session.owner?.value ?? null);
    for (const listener of session.listeners) listener.pump(appended);
  }
}
