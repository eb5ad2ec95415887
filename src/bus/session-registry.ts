import { runOutside } from "../runtime/async-context.ts";
import { mismatch } from "../runtime/errors.ts";
import { Session, type SessionHost } from "./session.ts";
import { type Beating, monotonicNow, type Pulse } from "../runtime/timers.ts";

/** How many sessions there may be, and how long they stay. */
export interface SessionLimits {
  readonly maxTotalBytes: number;
  readonly maxSessions: number;
  readonly retentionMs: number;
  readonly idleMs: number;
}

const SESSION_ID = /^[A-Za-z0-9._:~-]{1,128}$/;
/** How long it is remembered that a session ended, or where an idle one stood. */
const REMEMBER_MS = 24 * 60 * 60 * 1000;

/** Whether `id` may be a session id. */
export function isSessionId(id: unknown): id is string {
  return typeof id === "string" && SESSION_ID.test(id);
}

/** @throws {TypeError} Unless `id` may be a session id. */
export function checkSessionId(id: unknown): asserts id is string {
  if (!isSessionId(id)) throw badSessionId(id);
}

export function badSessionId(id: unknown): TypeError {
  // Not `mismatch(…, id)`: a session id must not get into a log.
  const got = typeof id === "string" ? `a string of ${id.length} characters` : typeof id;
  return new TypeError(`Expected \`sessionId\` to be 1 to 128 of A-Z a-z 0-9 . _ : ~ -, got ${got}`);
}

/**
 * All sessions of one bus by id, and which of them may stay.
 *
 * A session is *waiting* (followed, but nobody opened it: gone with its last follower), *live* (it has its
 * log), or *quiet* (only the head is known: a stub of an idle one, or the tombstone of an ended one). When
 * there are too many, or too many bytes, ended ones become quiet first, then unfollowed ones, oldest first.
 */
export class Sessions implements Beating {
  readonly #host: SessionHost;
  readonly #limits: SessionLimits;
  readonly #pulse: Pulse;
  readonly #sweepMs: number;
  readonly #byId = new Map<string, Session>();
  readonly #live = new Set<Session>();
  /** The live ones that have ended, oldest end first. */
  readonly #ended = new Set<Session>();
  /** Oldest first. */
  readonly #quiet = new Set<Session>();
  /** Attempts to find room that can be skipped, because the last one found none. */
  #hopeless = 0;

  constructor(host: SessionHost, limits: SessionLimits, pulse: Pulse) {
    this.#host = host;
    this.#limits = limits;
    this.#pulse = pulse;
    // Often enough that nothing stays much longer than promised, rarely enough to cost nothing.
    this.#sweepMs = Math.max(10, Math.min(limits.retentionMs, limits.idleMs, 60_000) / 4);
  }

  /** Sessions that have their log. */
  get size(): number {
    return this.#live.size;
  }

  /** The session that `id` stands for now, if any. */
  find(id: string): Session | undefined {
    return this.#byId.get(id);
  }

  all(): IterableIterator<Session> {
    return this.#byId.values();
  }

  /** The current incarnation, or a new one when there is none or it has ended. */
  open(id: string): Session {
    const known = this.#byId.get(id);
    if (known !== undefined && known.outcome === undefined) {
      if (!known.opened) {
        known.open(newEpoch());
        if (!this.admit(known)) this.#hush(known);
      }
      return known;
    }
    const session = new Session(id, this.#host);
    session.open(newEpoch());
    if (known !== undefined) {
      // Its followers may not have been offered the end yet, and its log goes now.
      runOutside(() => {
        known.flush(true);
      });
      this.#forget(known);
    }
    this.#byId.set(id, session);
    if (!this.admit(session)) this.#hush(session);
    return session;
  }

  /** The session to follow under `id`; one that nobody has opened makes no state beyond its followers. */
  join(id: string): Session {
    let session = this.#byId.get(id);
    if (session === undefined) {
      session = new Session(id, this.#host);
      this.#byId.set(id, session);
    }
    return session;
  }

  /** To be called when a follower has left. */
  left(session: Session): void {
    this.#hopeless = 0;
    if (session.followed || session.opened) return;
    if (this.#byId.get(session.id) === session) this.#byId.delete(session.id);
  }

  /** Makes `session` live, so that it can be appended to; `false` when there is no room or it is superseded. */
  admit(session: Session): boolean {
    if (this.#live.has(session)) return true;
    if (this.superseded(session) || !this.#hasRoom(0, session)) return false;
    const waiting = this.#byId.get(session.id);
    if (waiting !== undefined && waiting !== session) session.adopt(waiting);
    this.#byId.set(session.id, session);
    this.#quiet.delete(session);
    this.#live.add(session);
    this.#pulse.join(this, this.#sweepMs);
    return true;
  }

  /** Whether another incarnation has taken the place of `session`. */
  superseded(session: Session): boolean {
    const holder = this.#byId.get(session.id);
    return holder !== undefined && holder !== session && holder.opened;
  }

  /** Keeps a session that is not live, if nothing else stands for its id: an end must be findable. */
  remember(session: Session): void {
    if (this.superseded(session) || this.#quiet.has(session)) return;
    const waiting = this.#byId.get(session.id);
    if (waiting !== undefined && waiting !== session) session.adopt(waiting);
    this.#byId.set(session.id, session);
    this.#hush(session);
  }

  /** Whether `bytes` more fit into `session`, after making room if need be. */
  fits(session: Session, bytes: number): boolean {
    const { maxBytes, maxEvents } = this.#host.history;
    const { log } = session;
    const leaves = log.size >= maxEvents ? log.oldestBytes : 0;
    const growth = Math.min(bytes, maxBytes - log.bytes) - leaves;
    return growth <= 0 || this.#hasRoom(growth, session);
  }

  /** To be called when `session` has ended. */
  ended(session: Session): void {
    session.since = monotonicNow();
    this.#hopeless = 0;
    if (this.#live.has(session)) this.#ended.add(session);
  }

  clear(): void {
    this.#pulse.leave(this, this.#sweepMs);
    for (const session of this.#byId.values()) {
      session.listeners.clear();
      session.shrink("none");
    }
    this.#byId.clear();
    this.#live.clear();
    this.#ended.clear();
    this.#quiet.clear();
  }

  beat(now: number): void {
    const { retentionMs, idleMs } = this.#limits;
    for (const session of this.#ended) {
      if (now - session.since < retentionMs) break;
      this.#hush(session);
    }
    for (const session of this.#live) {
      if (session.outcome !== undefined) continue;
      if (session.followed || session.touched !== session.touchedThen) session.since = now;
      else if (now - session.since >= idleMs) this.#hush(session);
      session.touchedThen = session.touched;
    }
    for (const session of this.#quiet) {
      if (now - session.since < REMEMBER_MS) break;
      if (!session.held) this.#forget(session);
    }
    if (this.#live.size + this.#quiet.size === 0) this.#pulse.leave(this, this.#sweepMs);
  }

  #hasRoom(bytes: number, except: Session): boolean {
    if (!this.#crowded(bytes, 1, except)) return true;
    if (this.#hopeless > 0) {
      this.#hopeless--;
      return false;
    }
    // A little more than is needed: each round sorts, and the next reports should not need one.
    this.#makeRoom(bytes, except);
    if (!this.#crowded(bytes, 1, except)) return true;
    this.#hopeless = this.#live.size;
    return false;
  }

  #crowded(bytes: number, share: number, except: Session): boolean {
    const { maxTotalBytes, maxSessions } = this.#limits;
    const newcomers = this.#live.has(except) ? 0 : 1;
    return (
      this.#live.size + newcomers > maxSessions * share || this.#host.bytes + bytes > maxTotalBytes * share
    );
  }

  #makeRoom(bytes: number, except: Session): void {
    const candidates = [...this.#live].filter(
      (session) => session !== except && session.outcome === undefined && !session.followed,
    );
    candidates.sort((a, b) => a.touched - b.touched);
    const ended = [...this.#ended].filter((session) => !session.followed);
    for (const session of [...ended, ...candidates]) {
      if (!this.#crowded(bytes, 0.95, except)) return;
      this.#hush(session);
    }
    for (const session of this.#quiet) {
      if (!this.#crowded(bytes, 0.95, except)) return;
      if (!session.held && session !== except && session.log.bytes > 0) this.#forget(session);
    }
  }

  /** Live → quiet. */
  #hush(session: Session): void {
    session.shrink(session.outcome === undefined ? "none" : "head");
    this.#live.delete(session);
    this.#ended.delete(session);
    this.#quiet.add(session);
    session.since = monotonicNow();
    this.#hopeless = 0;
    if (this.#quiet.size <= this.#limits.maxSessions) return;
    for (const oldest of this.#quiet) {
      if (oldest.held || oldest === session) continue;
      this.#forget(oldest);
      return;
    }
  }

  #forget(session: Session): void {
    if (this.#byId.get(session.id) === session) this.#byId.delete(session.id);
    this.#quiet.delete(session);
    this.#ended.delete(session);
    if (this.#live.delete(session)) session.shrink(session.outcome === undefined ? "none" : "head");
    // Its end stays readable for who still follows it, but is no part of what all logs take.
    this.#host.bytes -= session.log.bytes;
  }
}

let lastEpoch = 0n;

/**
 * An epoch larger than every one drawn before in this process: `(ms << 20) | 20 random bits`, below 2^62.
 *
 * The random bits keep processes apart. Within one they are not enough: of 500 sessions opened in one
 * millisecond two would share an epoch in one run of eight.
 */
function newEpoch(): string {
  const random = crypto.getRandomValues(new Uint32Array(1))[0] ?? 0;
  const drawn = (BigInt(Date.now()) << 20n) | BigInt(random >>> 12);
  lastEpoch = drawn > lastEpoch ? drawn : lastEpoch + 1n;
  return String(lastEpoch);
}

/** A new session id: 128 random bits, base64url. Whoever knows it can follow, unless `authorize` says no. */
export function createSessionId(): string {
  return randomId(16);
}

/** `bytes` random bytes, base64url. */
export function randomId(bytes: number): string {
  const random = crypto.getRandomValues(new Uint8Array(bytes));
  return btoa(String.fromCharCode(...random))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
}

/** @throws {TypeError} Unless `value` is a whole number from `least` up. */
export function checkWhole(name: string, value: unknown, least: number): asserts value is number {
  if (Number.isSafeInteger(value) && (value as number) >= least) return;
  throw mismatch(name, `a whole number from ${least} up`, value);
}
