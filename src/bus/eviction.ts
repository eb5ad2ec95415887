import type { Ticker, Ticking } from "../runtime/ticker.ts";
import { type EncodedCache, type Session, SESSION_BYTES } from "./session.ts";
import type { SessionRegistry } from "./session-registry.ts";

/** How many sessions there may be, and how long they stay. */
export interface SessionLimits {
  readonly maxTotalBytes: number;
  readonly maxSessions: number;
  readonly retentionMs: number;
  readonly idleMs: number;
}

/** How long it is remembered that a session ended, or where an idle one stood. */
const REMEMBER_MS = 24 * 60 * 60 * 1000;
/** What others' pressure never takes of a log. */
const SPARED_BYTES = 256 << 10;
/** At least so much goes at a time, so that not every report has to look for the largest log. */
const MIN_SHRINK_BYTES = 64 << 10;

/**
 * Makes room, and lets go of what is old.
 *
 * Under pressure go, in this order: what is only encoded, logs of ended sessions, what ends say beyond how it was,
 * logs of idle sessions that nobody follows, each oldest first; then the largest logs lose what was offered, and at
 * last the log for which room is made.
 */
export class Eviction implements Ticking {
  readonly #registry: SessionRegistry;
  readonly #limits: SessionLimits;
  readonly #ticker: Ticker;
  readonly #sweepMs: number;
  /** Offers a session's followers everything, before entries go; may run user code. */
  readonly #offer: (session: Session) => void;
  /** Live sessions whose log is larger than what is spared: at most `maxTotalBytes / SPARED_BYTES`. */
  readonly #large = new Set<Session>();
  readonly #cached = new Set<Session>();
  #cachedBytes = 0;

  constructor(
    registry: SessionRegistry,
    limits: SessionLimits,
    ticker: Ticker,
    offer: (session: Session) => void,
  ) {
    this.#registry = registry;
    this.#limits = limits;
    this.#ticker = ticker;
    this.#offer = offer;
    // Often enough that nothing stays much longer than promised, rarely enough to cost nothing.
    this.#sweepMs = Math.max(10, Math.min(limits.retentionMs, limits.idleMs, 60_000) / 4);
  }

  /** Bytes of all logs and of what is encoded of them. */
  get bytes(): number {
    return this.#registry.bytes + this.#cachedBytes;
  }

  /** Makes `session` live, unless it is or has ended, if there is room for one more, or can be made. */
  admit(session: Session): boolean {
    if (!this.#registry.mayLive(session)) return true;
    // Those that make room for it must not push it out.
    this.#registry.keep(session);
    const hasRoom = this.#makeRoomForOne(session);
    // Again: filters may have run, which may report to it or end it.
    if (hasRoom && this.#registry.mayLive(session)) {
      this.#registry.enliven(session);
      this.#ticker.join(this, this.#sweepMs);
    } else this.#registry.release(session);
    return hasRoom;
  }

  #makeRoomForOne(session: Session): boolean {
    while (this.#registry.size >= this.#limits.maxSessions) if (!this.#evictOne()) return false;
    return this.makeRoom(SESSION_BYTES + (session.owner?.bytes ?? 0), session);
  }

  /** Whether `bytes` more fit into `session`, after making room if need be. May run user code. */
  makeRoom(bytes: number, session: Session): boolean {
    if (this.bytes + bytes <= this.#limits.maxTotalBytes) return true;
    if (this.#cachedBytes > 0) this.dropCaches();
    while (this.bytes + bytes > this.#limits.maxTotalBytes) {
      if (!this.#evictOne(session) && !this.#shrinkLargest(bytes)) return this.#shrinkOwn(bytes, session);
    }
    return true;
  }

  /** Notes that `session` has grown. */
  grown(session: Session): void {
    if (session.log.bytes > SPARED_BYTES && session.state === "live") this.#large.add(session);
  }

  /** What a transport keeps encoded of `session` under `key`; `make` gets what to call when its bytes change. */
  cacheOf<C extends EncodedCache>(
    session: Session,
    key: object,
    make: (count: (bytes: number) => void) => C,
  ): C {
    const known = session.caches.get(key) as C | undefined;
    if (known !== undefined) return known;
    const made = make((bytes) => {
      this.#cachedBytes += bytes;
      if (bytes > 0) this.#hasCached(session);
    });
    if (session.caches.size === 0) session.caches = new Map();
    (session.caches as Map<object, EncodedCache>).set(key, made);
    return made;
  }

  /** Sharing is worth more than a log that nobody follows, and less than any other. Runs no user code. */
  #hasCached(session: Session): void {
    if (!this.#cached.has(session)) {
      this.#cached.add(session);
      this.#ticker.join(this, this.#sweepMs);
    }
    while (this.bytes > this.#limits.maxTotalBytes) {
      const { ended, idle } = this.#registry;
      const oldest = ended.first?.followed === false ? ended.first : idle.first;
      if (oldest === undefined) {
        this.dropCaches();
        return;
      }
      this.#evict(oldest);
    }
  }

  /** Lets go of what is encoded: of `session`, or of all. */
  dropCaches(only?: Session): void {
    if (only !== undefined) {
      // It stays among those that have something: it is about to have it again.
      for (const cache of only.caches.values()) cache.clear();
      return;
    }
    for (const session of this.#cached) this.dropCaches(session);
    this.#cached.clear();
  }

  tick(now: number): void {
    const { ended, idle, quiet, heavy, size } = this.#registry;
    const { retentionMs, idleMs } = this.#limits;
    this.dropCaches();
    for (let one = ended.first; one && now - one.stateSince >= retentionMs; one = ended.first)
      this.#evict(one);
    for (let one = idle.first; one !== undefined;) {
      const { next } = one;
      if (!this.#registry.wasUsed(one, now) && now - one.stateSince >= idleMs) this.#evict(one);
      one = next;
    }
    for (const queue of [quiet, heavy]) {
      for (let one = queue.first; one && now - one.stateSince >= REMEMBER_MS; one = queue.first) {
        this.#registry.forget(one);
      }
    }
    if (size + quiet.size + heavy.size + this.#cached.size === 0) this.#ticker.leave(this, this.#sweepMs);
  }

  stop(): void {
    this.#ticker.leave(this, this.#sweepMs);
    this.dropCaches();
    this.#large.clear();
  }

  /** Evicts the oldest that may go, but not `except`; `false` if there is none. O(1). */
  #evictOne(except?: Session): boolean {
    const { ended, heavy, idle } = this.#registry;
    if (ended.first !== undefined && ended.first !== except) return this.#evict(ended.first);
    if (except !== undefined && heavy.first !== undefined) {
      this.#registry.strip(heavy.first);
      return true;
    }
    const oldest = idle.first === except ? idle.first?.next : idle.first;
    return oldest !== undefined && this.#evict(oldest);
  }

  #evict(session: Session): true {
    if (session.followed) this.#offer(session);
    this.#large.delete(session);
    this.dropCaches(session);
    // A filter may have had it evicted meanwhile.
    if (session.state === "live" || session.state === "ended") this.#registry.evict(session);
    return true;
  }

  /** At last the oldest of a session make room for its newest, if that is enough. */
  #shrinkOwn(bytes: number, session: Session): boolean {
    const lacking = (): number => this.bytes + bytes - this.#limits.maxTotalBytes;
    if (!isLive(session) || session.log.bytes < lacking()) return false;
    this.#offer(session);
    const left = session.log.bytes - lacking();
    if (isLive(session) && left >= 0) this.#registry.shrink(session, left);
    return lacking() <= 0;
  }

  /** Takes at least what is lacking of the largest log, as far as it is not spared. */
  #shrinkLargest(bytes: number): boolean {
    let largest: Session | undefined;
    for (const session of this.#large) {
      if (session.state !== "live" || session.log.bytes <= SPARED_BYTES) this.#large.delete(session);
      else if (session.log.bytes > (largest?.log.bytes ?? 0)) largest = session;
    }
    if (largest === undefined) return false;
    this.#offer(largest);
    const before = largest.log.bytes;
    const lacking = Math.max(MIN_SHRINK_BYTES, this.bytes + bytes - this.#limits.maxTotalBytes);
    this.#registry.shrink(largest, Math.max(SPARED_BYTES, before - lacking));
    return largest.log.bytes < before;
  }
}

function isLive({ state }: Session): boolean {
  return state === "live";
}
