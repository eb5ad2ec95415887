import { entryBytes, type LogEntry } from "../log/entry.ts";
import type { LogLimits } from "../log/session-log.ts";
import { monotonicNow } from "../runtime/timers.ts";
import { bareEnd, isHeavy } from "./bare-end.ts";
import { type Owner, Session, SESSION_BYTES, type SessionState, TRANSITIONS } from "./session.ts";
import { SessionQueue } from "./session-queue.ts";

/**
 * All sessions of one bus by id, each in one state, and the bytes of their logs.
 *
 * The only place that moves a session to another state, and the only one that changes a log. Sessions that nobody
 * holds wait in queues for eviction, oldest first; every operation is O(1).
 */
export class SessionRegistry {
  /** Bytes of all logs, and of the live sessions themselves. */
  bytes = 0;
  /** Sessions that have their log. */
  size = 0;
  /** Has ended, has its log. */
  readonly ended: SessionQueue = new SessionQueue();
  /** Live, and nobody follows; least recently reported to first. */
  readonly idle: SessionQueue = new SessionQueue();
  /** Tombstones whose end has `data` or much to say. */
  readonly heavy: SessionQueue = new SessionQueue();
  /** Other tombstones, and stubs that nobody holds. */
  readonly quiet: SessionQueue = new SessionQueue();

  readonly #limits: LogLimits;
  readonly #maxQuiet: number;
  readonly #byId = new Map<string, Session>();
  #entrySeq = 0;

  constructor(limits: LogLimits, maxQuiet: number) {
    this.#limits = limits;
    this.#maxQuiet = maxQuiet;
  }

  /** The session that `id` stands for now, if any. */
  find(id: string): Session | undefined {
    return this.#byId.get(id);
  }

  all(): IterableIterator<Session> {
    return this.#byId.values();
  }

  /** A new session under `id`, which must be free. */
  add(id: string): Session {
    const session = new Session(id, this.#limits);
    this.#byId.set(id, session);
    return session;
  }

  /** Sets whom a session belongs to. */
  setOwner(session: Session, owner: Owner): void {
    session.owner = owner;
    this.#count(session);
  }

  /** Whether `session` may have its log from now on: it has not ended, and its id stands for no other. */
  mayLive(session: Session): boolean {
    return TRANSITIONS[session.state].includes("live") && this.#isCurrent(session);
  }

  /** `session` has its log from now on. There must be room. */
  enliven(session: Session): void {
    this.#move(session, "live");
    this.size++;
    this.#byId.set(session.id, session);
    this.#count(session);
    this.release(session);
  }

  /** Opens `session` without a log: there is no room. */
  openAsStub(session: Session): void {
    this.#byId.set(session.id, session);
    this.#quieten(session, "stub");
  }

  /** Writes `entry` at `position`. Without a log, an end makes a tombstone, anything else becomes part of a gap. */
  write(session: Session, position: number, entry: LogEntry, bytes: number): void {
    const { log } = session;
    session.lastEntrySeq = ++this.#entrySeq;
    if (session.queue === this.idle) this.idle.push(session);
    if (position > log.head + 1) log.skipTo(position - 1);
    if (session.state === "live") {
      log.append(entry, bytes);
      this.#count(session);
      if (log.ended) this.#end(session);
    } else if (entry.t === "session_end") {
      const end = bareEnd(entry);
      log.append(end, entryBytes(end));
      // Code that its end has called may have begun it anew: then it ends for those alone who hold it.
      if (!this.#isCurrent(session)) return;
      this.#byId.set(session.id, session);
      this.#quieten(session, "tombstone");
    } else {
      log.skipTo(position);
    }
  }

  /** Lets the log of a session go: of an ended one all but the end. */
  evict(session: Session): void {
    const ended = session.state === "ended";
    if (ended) session.log.shrinkToHead();
    else session.log.clear();
    this.#quieten(session, ended ? "tombstone" : "stub");
  }

  /** Lets go of what an end says beyond how it was. */
  strip(session: Session): void {
    const step = session.log.read(session.log.head - 1);
    if (step !== undefined) session.log.shrinkToHead(bareEnd(step.entry));
    this.#quieten(session, session.state);
  }

  /** Lets the oldest entries of a live log go, until it has at most `bytes`. */
  shrink(session: Session, bytes: number): void {
    session.log.shrinkTo(bytes);
    this.#count(session);
  }

  /** Forgets everything about a session; whoever still reads it finds its end or a gap. */
  forget(session: Session): void {
    (session.queue as SessionQueue | undefined)?.delete(session);
    if (this.#byId.get(session.id) === session) this.#byId.delete(session.id);
    if (hasLog(session)) {
      this.size--;
      if (session.log.ended) session.log.shrinkToHead();
      else session.log.clear();
    }
    this.#move(session, "gone");
    this.#count(session);
  }

  /** Forgets every session. */
  clear(): void {
    for (const session of this.#byId.values()) this.forget(session);
  }

  /** Somebody follows it: it is not evicted while it is live. */
  hold(session: Session): void {
    const queue = session.queue as SessionQueue | undefined;
    if (queue === this.idle || queue === this.quiet) queue.delete(session);
  }

  /** Code runs in it: it is not forgotten, though its log may go. */
  keep(session: Session): void {
    if ((session.queue as SessionQueue | undefined) === this.quiet) this.quiet.delete(session);
  }

  /** Puts a session that nobody holds any more where it can be evicted; one that was never opened goes. */
  release(session: Session): void {
    const { state } = session;
    if (state === "live" && !session.followed) this.#enqueue(this.idle, session);
    else if (state === "waiting" && !session.held && !session.opening) this.forget(session);
    else if ((state === "stub" || state === "tombstone") && !session.held) this.#quieten(session, state);
  }

  /** Whether `session` was reported to since this was last asked; then it is idle since `now`. */
  wasUsed(session: Session, now: number): boolean {
    if (session.lastEntrySeq === session.seenEntrySeq) return false;
    session.seenEntrySeq = session.lastEntrySeq;
    session.stateSince = now;
    return true;
  }

  /** `session` takes over from `gone`, a session of the same id whose handle still speaks. */
  succeed(gone: Session, session: Session): void {
    session.epoch = gone.epoch;
    session.log = gone.log;
    session.owner ??= gone.owner;
    gone.successor = session;
  }

  #isCurrent(session: Session): boolean {
    return (this.#byId.get(session.id) ?? session) === session;
  }

  #end(session: Session): void {
    this.#move(session, "ended");
    session.stateSince = monotonicNow();
    this.ended.push(session);
  }

  /** To a state without a log. */
  #quieten(session: Session, state: SessionState): void {
    if (hasLog(session)) this.size--;
    this.#move(session, state);
    this.#count(session);
    (session.queue as SessionQueue | undefined)?.delete(session);
    if (session.counted > 0) this.#enqueue(this.heavy, session);
    else if (state === "tombstone" || !session.held) this.#enqueue(this.quiet, session);
    if (this.quiet.size + this.heavy.size <= this.#maxQuiet) return;
    const oldest = this.quiet.first ?? this.heavy.first;
    if (oldest !== undefined && oldest !== session) this.forget(oldest);
  }

  #enqueue(queue: SessionQueue, session: Session): void {
    session.stateSince = monotonicNow();
    session.seenEntrySeq = session.lastEntrySeq;
    queue.push(session);
  }

  #move(session: Session, to: SessionState): void {
    if (session.state === to) return;
    if (!TRANSITIONS[session.state].includes(to)) {
      throw new Error(`A session cannot go from ${session.state} to ${to}`);
    }
    session.state = to;
  }

  #count(session: Session): void {
    const { state, log } = session;
    let now = 0;
    if (hasLog(session)) now = SESSION_BYTES + log.bytes + (session.owner?.bytes ?? 0);
    else if (state === "tombstone" && isHeavy(log.bytes)) now = log.bytes;
    this.bytes += now - session.counted;
    session.counted = now;
  }
}

function hasLog({ state }: Session): boolean {
  return state === "live" || state === "ended";
}
