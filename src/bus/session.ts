import { NO_EPOCH } from "../protocol/entry-id.ts";
import type { Outcome, SessionEntry } from "../protocol/event.ts";
import type { Incarnation } from "../backplane/port.ts";
import type { Readable } from "../log/cursor.ts";
import { type LogLimits, SessionLog } from "../log/session-log.ts";

/**
 * What a session is now.
 *
 * - `waiting`: somebody follows it, nobody has opened it. Gone with its last follower.
 * - `live`: open, with its log.
 * - `ended`: has its end, and its log for a while.
 * - `stub`: open and idle; only epoch and head are left.
 * - `tombstone`: ended long ago; only the end is left.
 * - `gone`: nothing in the bus leads to it any more; a handle may.
 */
export type SessionState = "waiting" | "live" | "ended" | "stub" | "tombstone" | "gone";

/** Which state may follow which. */
export const TRANSITIONS: Readonly<Record<SessionState, readonly SessionState[]>> = {
  waiting: ["live", "stub", "gone"],
  live: ["ended", "stub", "gone"],
  ended: ["tombstone", "gone"],
  stub: ["live", "tombstone", "gone"],
  tombstone: ["gone"],
  // A reporter has outlived its forgotten stub, and reports again or ends.
  gone: ["live", "tombstone"],
};

/** A cursor that takes what it is offered when it can: an event stream, a WebSocket, an async iterator. */
export interface Follower {
  /** Reads on from its position. Called at the end of each turn with reports, and early in a long turn. */
  pump(early: boolean): void;
  /** Encodes what lies after its position, for all that are there; `false` if it takes nothing now. */
  prepare?(): boolean;
  /** Ends the connection without an `end`: the follower may come back. */
  disconnect(closing: boolean): void;
  /** A connection has what it was admitted with, for `disconnect`'s `where`; an iterator has none. */
  readonly request?: unknown;
  /** What brought it and may bring more. */
  readonly carrier?: object | undefined;
}

/** An entry that was just written, as listeners and the `event` hook get it: one object for all. */
export interface Appended {
  readonly position: number;
  readonly entry: SessionEntry;
}

/** A follower that is called inside the report. */
export interface Listener {
  /** Hands over what lies after its position: up to `appended`, which is at hand, or up to the head. */
  pump(appended?: Appended): void;
  /** Detaches it. */
  stop(): void;
}

/** A run that goes on in a session. */
export interface ActiveRun {
  /** What its events carry as `run`, when it does not end its session. */
  readonly id: string | undefined;
  readonly done: Promise<Outcome>;
  /** Counts it as over; `false` when it was already. */
  finish(outcome: Outcome): boolean;
  /** Tells its code that it is to stop. */
  abort(): void;
}

/** A follower's share of what is encoded. */
export interface EncodedCache {
  /** What it takes; counted towards `maxTotalBytes`. */
  readonly bytes: number;
  /** Lets what the last turn brought go: followers have read it, or lie behind. */
  beginTurn(): void;
  clear(): void;
}

/** Whom a session belongs to: as JSON, to compare, and as the frozen value that hooks and `authorize` get. */
export interface Owner {
  readonly json: string;
  readonly value: unknown;
  /** About how many bytes of heap both take. */
  readonly bytes: number;
}

/** About how many bytes of heap a live session takes without its entries. */
export const SESSION_BYTES = 512;

const NONE: readonly never[] = [];
const NOBODY: ReadonlySet<never> = new Set<never>();
const NO_CACHES: ReadonlyMap<object, never> = new Map<object, never>();

/** `item` into a set that may be the shared empty one. */
export function added<T>(set: ReadonlySet<T>, item: T): ReadonlySet<T> {
  return set === NOBODY ? new Set<T>([item]) : (set as Set<T>).add(item);
}

/** `item` out of a set; whether it was there. */
export function removed<T>(set: ReadonlySet<T>, item: T): boolean {
  return (set as Set<T>).delete(item);
}

/** One incarnation of a session, as data. The hub writes it, the registry moves it from state to state. */
export class Session implements Readable, Incarnation {
  readonly id: string;
  epoch: string = NO_EPOCH;
  state: SessionState = "waiting";
  log: SessionLog;
  /** How it ended; `undefined` while it goes on. Set a moment before the end is in the log. */
  outcome: Outcome | undefined;
  /** Whether its end came while functions of runs or `withSession` went on: they may report on for a while. */
  cutShort = false;
  owner: Owner | undefined;
  /** Whether the engine was asked to open it, so that its reports may be sent. */
  opening = false;
  /** Whether the log is as complete as the engine has it, so that followers may read. */
  filled = false;
  /** What waits for the engine's answer to `open`, and to `follow`. */
  whenOpened: readonly (() => void)[] = NONE;
  whenFilled: readonly (() => void)[] = NONE;

  // Shared empty sets until there is something to hold: most sessions have one follower and no listener.
  followers: ReadonlySet<Follower> = NOBODY;
  listeners: ReadonlySet<Listener> = NOBODY;
  runs: ReadonlySet<ActiveRun> = NOBODY;
  /** Followers that are connections; how many there ever were. */
  connections = 0;
  connected = 0;
  /** Functions of `withSession` that have not returned. */
  users = 0;
  /** Events for listeners that were appended while listeners were being called. */
  undelivered: Appended[] | undefined;

  /** Reports that found no room since the last entry. */
  lost = 0;
  /** The head and the bytes since followers were last offered everything. */
  offeredHead = 0;
  unofferedBytes = 0;
  /** Whether followers are being pumped: a flush inside a flush does nothing, the running one reads on. */
  flushing = false;
  /** Whether the flush scheduler has it. */
  queued = false;
  /** What transports have encoded of it, by their format. */
  caches: ReadonlyMap<object, EncodedCache> = NO_CACHES;
  /** What it counts towards `maxTotalBytes`, without its caches. */
  counted = 0;

  /** Bus-wide sequence number of the newest entry. Eviction takes those with an old one first. */
  lastEntrySeq = 0;
  /** What `lastEntrySeq` was when the session was last put into a queue, or asked whether it is used. */
  seenEntrySeq = 0;
  /** Monotonic milliseconds at which the session became idle, ended, or what is left of it. Accurate to one sweep. */
  stateSince = 0;
  /** Neighbours in the registry's queue that it is in. */
  queue: object | undefined;
  previous: Session | undefined;
  next: Session | undefined;
  /** The session of the same id that goes on in its place, for handles to this one. */
  successor: Session | undefined;

  constructor(id: string, limits: LogLimits) {
    this.id = id;
    this.log = new SessionLog(limits);
  }

  get head(): number {
    return this.log.head;
  }

  /** Whether anybody ever opened it. */
  get opened(): boolean {
    return this.epoch !== NO_EPOCH;
  }

  /** Whether anybody is reading. */
  get followed(): boolean {
    return this.followers.size > 0 || this.listeners.size > 0;
  }

  /** Whether it must stay findable: somebody reads, or code runs that must learn of its end. */
  get held(): boolean {
    return this.followed || this.runs.size > 0 || this.users > 0;
  }
}
