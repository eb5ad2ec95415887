import { runOutside } from "../runtime/async-context.ts";
import type { GapEvent, Outcome, SessionEvent } from "../protocol/event.ts";
import { Frames } from "../transport/sse/shared-frames.ts";
import type { Hooks } from "./hooks.ts";
import { Listeners } from "./listeners.ts";
import { type LogLimits, SessionLog } from "../log/session-log.ts";
import { monotonicNow } from "../runtime/timers.ts";
import type { Turn } from "./flush-scheduler.ts";

/** A cursor that takes what it is offered when it can: an event stream, a WebSocket, an async iterator. */
export interface Follower {
  /** The session it follows; changes only when a session comes back under the same id. */
  session: Session;
  /** Encodes what lies after its position, for all that are there; `false` if it takes nothing now. */
  prepare?(): boolean;
  /** Reads on from its position. Called at the end of each turn with reports, and early in a long turn. */
  pump(early: boolean): void;
  /** Ends the connection without an `end`: the follower may come back. */
  disconnect(closing: boolean): void;
  /** What the follower was admitted with, for `disconnect`'s `where`. */
  readonly request?: unknown;
}

/** A run that wants to know when its session ends without it. */
export interface ActiveRun {
  readonly done: Promise<Outcome>;
  cancel(outcome: Outcome): void;
}

/** What a session needs of the bus it belongs to. */
export interface SessionHost {
  readonly history: LogLimits;
  readonly hooks: Hooks;
  readonly turn: Turn;
  /** To be called for each follower that is told of a gap. */
  told(sessionId: string, gap: GapEvent): void;
  /** Bytes of all logs together. */
  bytes: number;
  /** Followers of all sessions together. */
  followers: number;
  /** Entries written since the bus was made. */
  events: number;
}

/** The epoch of a session that nobody has reported to yet. */
export const NO_EPOCH = "0";

/** One incarnation of a session: a log, those who follow it, and its end. */
export class Session {
  readonly id: string;
  epoch: string = NO_EPOCH;
  readonly log: SessionLog;
  /** How it ended; `undefined` while it goes on. */
  outcome: Outcome | undefined;
  /** JSON of whom it belongs to. */
  owner: string | undefined;
  /** Which of all the bus's entries was its last: tells who was reported to last, without a clock. */
  touched = 0;
  /** What `touched` was when a sweep last looked. */
  touchedThen = 0;
  /** Since when it is idle, ended or quiet; `monotonicNow`, as far as sweeps can tell. */
  since: number = monotonicNow();
  /** Whether the turn has it on its list. */
  marked = false;
  /** Reports that found no room since the last entry. */
  lost = 0;
  readonly followers: Set<Follower> = new Set<Follower>();
  readonly runs: Set<ActiveRun> = new Set<ActiveRun>();
  readonly listeners: Listeners;

  readonly #host: SessionHost;
  #frames: Frames | undefined;
  #offeredHead = 0;
  #unofferedBytes = 0;
  #flushing = false;

  constructor(id: string, host: SessionHost) {
    this.id = id;
    this.#host = host;
    this.log = new SessionLog(host.history);
    this.listeners = new Listeners(this, host);
  }

  /** Whether it must stay findable: somebody reads, or a run must learn of its end. */
  get held(): boolean {
    return this.followed || this.runs.size > 0;
  }

  /** Whether anybody is reading. */
  get followed(): boolean {
    return this.followers.size > 0 || this.listeners.size > 0;
  }

  /** Whether anybody ever reported to it, or meant to. */
  get opened(): boolean {
    return this.epoch !== NO_EPOCH;
  }

  /** Whether there is nothing after `position`, now and ever. */
  isOverAt(position: number): boolean {
    // Not `outcome` alone: it is there a moment before the end entry is.
    return position === this.log.head && this.log.read(position - 1)?.event.t === "session_end";
  }

  get frames(): Frames {
    return (this.#frames ??= new Frames(this.epoch, this.log));
  }

  idAt(position: number): string {
    return `${this.epoch}-${position}`;
  }

  /** Begins the incarnation. Whoever was waiting under this id is at its position 0. */
  open(epoch: string): void {
    this.epoch = epoch;
    this.#frames = undefined;
  }

  /** Sets whom the session belongs to; who was admitted under another owner, or none, is asked again. */
  setOwner(owner: string): void {
    if (this.owner === owner) return;
    this.owner = owner;
    this.disconnect();
  }

  /** Ends the followers' connections, or of those that `where` picks. */
  disconnect(where?: (request: unknown) => boolean): void {
    for (const follower of this.followers) {
      // Iterators came with no request; they have no connection to end either.
      if (!("request" in follower)) continue;
      if (where === undefined || where(follower.request)) follower.disconnect(false);
    }
  }

  /**
   * Appends and delivers. Whoever calls it has called `makeWay` and looked at `outcome` after that, because
   * followers' filters run in it.
   */
  append(event: SessionEvent, bytes: number): void {
    this.#unofferedBytes += bytes;
    const before = this.log.bytes;
    this.log.append(event, bytes);
    this.#host.bytes += this.log.bytes - before;
    this.touched = ++this.#host.events;
    if (this.followers.size > 0) this.#host.turn.mark(this);
    this.listeners.deliver(event);
  }

  /** Shrinks the log to `remaining` entries; positions stay. */
  shrink(remaining: "none" | "head"): void {
    this.#host.bytes -= this.log.bytes;
    if (remaining === "none") this.log.clear();
    else this.log.shrinkToHead();
    this.#host.bytes += this.log.bytes;
    this.#frames = undefined;
  }

  add(follower: Follower): void {
    if (this.followers.size === 0) this.#offered();
    this.followers.add(follower);
    this.#host.followers++;
  }

  remove(follower: Follower): void {
    if (!this.followers.delete(follower)) return;
    this.#host.followers--;
    if (this.followers.size === 0) this.#frames?.forget();
  }

  /** Takes over who waits at `other`, a session of the same id that was never opened. */
  adopt(other: Session): void {
    for (const follower of other.followers) {
      other.remove(follower);
      follower.session = this;
      this.add(follower);
      // They were admitted when the session had no owner.
      if (this.owner !== undefined) follower.disconnect(false);
    }
    this.listeners.adopt(other.listeners);
    this.#host.turn.mark(this);
  }

  /** Encodes what most followers are about to be offered. */
  prepare(): void {
    this.#frames?.forget();
    for (const follower of this.followers) if (follower.prepare?.()) return;
  }

  /** Offers what is new to every follower. */
  flush(early = false): void {
    if (this.#flushing) return;
    this.#flushing = true;
    for (const follower of this.followers) follower.pump(early);
    this.#flushing = false;
    this.#offered();
  }

  /**
   * Nothing may be compacted before every writable follower was offered it. Compaction keeps at most half of
   * the history out of the tail, so offering at half is always in time.
   */
  makeWay(bytes: number): void {
    if (this.followers.size === 0) return;
    const { maxEvents, maxBytes } = this.#host.history;
    const events = this.log.head + 1 - this.#offeredHead;
    const unoffered = this.#unofferedBytes + bytes;
    if (events * 2 > maxEvents || unoffered * 2 > maxBytes) runOutside(flushEarly, this);
  }

  #offered(): void {
    this.#offeredHead = this.log.head;
    this.#unofferedBytes = 0;
  }
}

function flushEarly(session: Session): void {
  session.flush(true);
}
