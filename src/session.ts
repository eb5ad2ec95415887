import { runOutside } from "./context.ts";
import { catchRejection } from "./diagnostics.ts";
import type { GapEvent, Outcome, SessionEntry, SessionEvent } from "./event.ts";
import { Frames } from "./frames.ts";
import type { Hooks } from "./hooks.ts";
import { type LogLimits, SessionLog, type LogStep } from "./session-log.ts";
import { monotonicNow } from "./timers.ts";
import type { Turn } from "./turn.ts";

/** A cursor that takes what it is offered when it can: an event stream, a WebSocket, an async iterator. */
export interface Follower {
  /** The session it follows; changes only when a session comes back under the same id. */
  session: Session;
  /** Encodes what lies after its position, for all that are there. */
  prepare?(): void;
  /** Reads on from its position. Called at the end of each turn with reports, and early in a long turn. */
  pump(early: boolean): void;
  /** Ends the connection without an `end`: the follower may come back. */
  disconnect(closing: boolean): void;
  /** What the follower was admitted with, for `disconnect`'s `where`. */
  readonly request?: unknown;
}

/** A cursor that is read for, synchronously, inside `report`. */
export interface Listener {
  session: Session;
  position: number;
  /** Whether it still wants to be called. */
  active: boolean;
  receive(entry: SessionEntry): unknown;
  /** Called when its session lets it go. */
  released(): void;
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

  readonly #host: SessionHost;
  #listeners: readonly Listener[] = NOBODY;
  #undelivered: LogStep[] | undefined;
  #frames: Frames | undefined;
  #offeredHead = 0;
  #unofferedBytes = 0;
  #flushing = false;

  constructor(id: string, host: SessionHost) {
    this.id = id;
    this.#host = host;
    this.log = new SessionLog(host.history);
  }

  /** Whether anybody is reading. */
  get followed(): boolean {
    return this.followers.size > 0 || this.#listeners.length > 0;
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
      if (where === undefined || where(follower.request)) follower.disconnect(false);
    }
  }

  append(event: SessionEvent, bytes: number): void {
    if (this.followers.size > 0) this.#offerEarly(bytes);
    const before = this.log.bytes;
    const entry = this.log.append(event, bytes);
    this.#host.bytes += this.log.bytes - before;
    this.touched = ++this.#host.events;
    if (this.followers.size > 0) this.#host.turn.mark(this);
    if (this.#listeners !== NOBODY || this.#host.hooks.has("event")) this.#deliver(entry);
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

  listen(listener: Listener): void {
    this.#setListeners([...this.#listeners, listener]);
  }

  unlisten(listener: Listener): void {
    listener.active = false;
    this.#setListeners(this.#listeners.filter((one) => one !== listener));
  }

  /** Lets its listeners go: it has ended, or the bus is closed. */
  unlistenAll(): void {
    for (const listener of this.#listeners) listener.released();
    this.#setListeners(NOBODY);
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
    for (const listener of other.#listeners) listener.session = this;
    this.#setListeners([...this.#listeners, ...other.#listeners]);
    other.#setListeners(NOBODY);
    this.#host.turn.mark(this);
  }

  /** Encodes what most followers are about to be offered. */
  prepare(): void {
    this.#frames?.forget();
    for (const follower of this.followers) return follower.prepare?.();
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
  #offerEarly(bytes: number): void {
    const { maxEvents, maxBytes } = this.#host.history;
    this.#unofferedBytes += bytes;
    const events = this.log.head + 1 - this.#offeredHead;
    if (events * 2 <= maxEvents && this.#unofferedBytes * 2 <= maxBytes) return;
    runOutside(flushEarly, this);
    this.#unofferedBytes = bytes;
  }

  #offered(): void {
    this.#offeredHead = this.log.head;
    this.#unofferedBytes = 0;
  }

  /** A trampoline: what a listener reports is delivered after the current event, not inside it. */
  #deliver(entry: LogStep): void {
    if (this.#undelivered !== undefined) {
      this.#undelivered.push(entry);
      return;
    }
    this.#undelivered = [entry];
    runOutside(deliverAll, this);
  }

  deliverUndelivered(): void {
    const queue = this.#undelivered ?? [];
    for (const step of queue) this.#deliverOne(step);
    this.#undelivered = undefined;
  }

  #deliverOne(step: LogStep): void {
    const entry: SessionEntry = Object.freeze({ id: this.idAt(step.position), event: step.event });
    this.#host.hooks.emit("event", this.id, entry);
    for (const listener of this.#listeners) {
      if (!listener.active || listener.position >= step.position) continue;
      listener.position = step.position;
      if (step.event.t === "gap") this.#host.told(this.id, step.event);
      this.hand(listener, entry);
    }
    if (step.event.t === "session_end") this.unlistenAll();
  }

  #setListeners(listeners: readonly Listener[]): void {
    this.#host.followers += listeners.length - this.#listeners.length;
    this.#listeners = listeners.length === 0 ? NOBODY : listeners;
  }

  /** Calls one listener; what it throws is told to the `error` hook and hurts nobody. */
  hand(listener: Listener, entry: SessionEntry): void {
    const failed = (thrown: unknown): void => {
      this.#host.hooks.fail(thrown, this.id);
    };
    try {
      catchRejection(listener.receive(entry), failed);
    } catch (thrown) {
      failed(thrown);
    }
  }
}

const NOBODY: readonly Listener[] = [];

function flushEarly(session: Session): void {
  session.flush(true);
}

function deliverAll(session: Session): void {
  session.deliverUndelivered();
}
