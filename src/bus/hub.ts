import { MemoryBackplane } from "../backplane/memory.ts";
import type { Backplane } from "../backplane/port.ts";
import { entryBytes, entryOf, type LogEntry } from "../log/entry.ts";
import type {
  Outcome,
  ProgressReport,
  RunEndEvent,
  SessionEndEvent,
  SessionEvent,
} from "../protocol/event.ts";
import { checkEvent, droppedGap } from "../report/check-event.ts";
import { checkEnd, checkReport, type Checked } from "../report/check-report.ts";
import { canFit, fitEvent, surelyFits } from "../report/event-size.ts";
import { fromJson } from "../report/json-data.ts";
import { isStackEnd, toError } from "../runtime/errors.ts";
import { reserveStack } from "../runtime/stack.ts";
import { Ticker } from "../runtime/ticker.ts";
import { bareEnd } from "./bare-end.ts";
import { Drops } from "./drops.ts";
import { Eviction } from "./eviction.ts";
import { Faults } from "./faults.ts";
import { Followers } from "./followers.ts";
import { Hooks } from "./hooks.ts";
import type { BusLimits } from "./options.ts";
import { LogReplica } from "./replica.ts";
import type { Session } from "./session.ts";
import { SessionRegistry } from "./session-registry.ts";

const CANCELLED: Outcome = Object.freeze({ status: "cancelled" });

/**
 * The one way into a log, in two halves: may it (here), and it is in ({@link LogReplica}). Between them stands the
 * engine: in memory it answers at once, inside the report, a shared one when the entry comes back, whoever sent it.
 * No user code runs between the last look at a session and its append.
 */
export class Hub {
  readonly limits: BusLimits;
  readonly hooks: Hooks = new Hooks();
  readonly drops: Drops = new Drops(this.hooks);
  readonly faults: Faults;
  readonly ticker: Ticker = new Ticker();
  readonly registry: SessionRegistry;
  readonly eviction: Eviction;
  readonly followers: Followers;
  readonly replica: LogReplica;
  readonly engine: Backplane;
  /** No new runs, no new followers. */
  closing = false;
  /** No more reports either. */
  closed = false;
  /** Whether entries come back from elsewhere, and at any time. */
  readonly shared: boolean;

  constructor(limits: BusLimits, engine: Backplane = new MemoryBackplane()) {
    const { hooks, ticker } = this;
    const shared = !(engine instanceof MemoryBackplane);
    const faults = new Faults(hooks, limits.strict);
    const registry = new SessionRegistry(limits.history, limits.maxSessions);
    const followers: Followers = new Followers(registry, limits, hooks, faults, (session) => {
      if (session.caches.size > 0) eviction.dropCaches(session);
    });
    const eviction: Eviction = new Eviction(registry, limits, ticker, (session) => {
      followers.offerNow(session);
    });
    this.limits = limits;
    this.engine = engine;
    this.shared = shared;
    this.faults = faults;
    this.registry = registry;
    this.followers = followers;
    this.eviction = eviction;
    this.replica = new LogReplica(registry, eviction, followers, hooks, faults, shared);
    engine.connect(this.replica);
  }

  /** The session that `id` stands for now, if any. */
  find(id: string): Session | undefined {
    return this.registry.find(id);
  }

  /** The session to report to. An ended one is returned as it is, or begins anew. */
  open(id: string, { owner, anew = false }: { owner?: string | undefined; anew?: boolean } = {}): Session {
    reserveStack();
    let session = this.registry.find(id);
    if (session?.outcome !== undefined) {
      if (!anew) return session;
      // Its followers may not have been offered the end yet, and its log goes now.
      this.followers.offerNow(session);
      this.registry.forget(session);
      session = undefined;
    }
    session ??= this.registry.add(id);
    if (owner === undefined && (session.opened || session.opening)) return session;
    session.opening = true;
    this.engine.open(session, { owner, anew });
    return session;
  }

  /** The session to follow; one that nobody has opened makes no state beyond its followers. */
  join(id: string): Session {
    return this.registry.find(id) ?? this.registry.add(id);
  }

  /** Calls `fn` when `session` can be read: now in memory, else when the engine has filled its log. */
  whenFilled(session: Session, fn: () => void): void {
    if (session.filled) {
      fn();
      return;
    }
    session.whenFilled = [...session.whenFilled, fn];
    if (session.whenFilled.length === 1) this.engine.follow(session);
  }

  /** Checks a report and writes it to the session, which it opens. Never throws, unless `strict`. */
  publish(sessionId: string, report: ProgressReport): boolean {
    try {
      const known = this.registry.find(sessionId);
      if (this.closed) return this.drops.add(known ?? { id: sessionId, owner: undefined }, "closed");
      if (known?.outcome !== undefined) return this.drops.add(known, "ended");
      const { event, dataJson, faults } = checkReport(report, {}, this.limits.strict);
      if (faults !== undefined) for (const fault of faults) this.faults.ofReport(fault, sessionId);
      if (event === undefined) return false;
      // Opening reserves stack, which costs more than the rest of a report.
      return this.take(known?.opened ? known : this.open(sessionId), event, dataJson);
    } catch (thrown) {
      if (!isStackEnd(thrown)) throw thrown;
      this.faults.keep(thrown);
      return false;
    }
  }

  /** Takes an event that a reporter of this copy has made. */
  take(given: Session, event: SessionEvent, dataJson: string | undefined): boolean {
    const session = this.#current(given);
    if (session === undefined || session.outcome !== undefined) return this.drops.add(given, "ended");
    if (this.closed) return this.drops.add(session, "closed");
    return this.#admit(session, this.#entryOf(session, event, dataJson));
  }

  /** Checks and takes what another process, a worker or another copy of this package hands over. */
  takeForeign(given: Session, foreign: unknown): boolean {
    const session = this.#current(given);
    if (session === undefined || session.outcome !== undefined) return this.drops.add(given, "ended");
    let checked;
    try {
      checked = checkEvent(foreign, this.limits.strict);
    } catch (thrown) {
      this.faults.ofReport(toError(thrown), session.id);
      return false;
    }
    const { event, dataJson } = checked;
    if (!canFit(event, this.limits.maxEventBytes)) return this.#tooLong(session);
    if (event.t === "session_end") {
      const { status, msg: message } = event;
      const data = dataJson === undefined ? undefined : fromJson(dataJson);
      return this.end(session, { status, message, data }, { event, dataJson, faults: undefined });
    }
    if (event.t !== "run_end") return this.take(session, event, dataJson);
    return this.#closeRun(session, this.#endEntry(session, { event, dataJson, faults: undefined }));
  }

  /** Ends the session, with `made` as its event if given; the first end wins. `false`: it has ended, or the bus closed. */
  end(given: Session, outcome: Outcome, made?: Checked<SessionEndEvent>): boolean {
    reserveStack(2);
    const session = this.#current(given);
    if (session === undefined) return false;
    if (this.closed) return this.drops.add(session, "closed");
    if (session.outcome !== undefined) return false;
    const entry = this.#endEntry(session, made ?? checkEnd(outcome, undefined, this.limits.strict));
    // Again: `toJSON` and the `error` hook may have ended it.
    if ((session.outcome as Outcome | undefined) !== undefined) return false;
    // Before the entries: what a listener reports when it sees the end comes too late.
    session.outcome = outcome;
    const cancelled = [...session.runs].filter((run) => run.finish(CANCELLED));
    session.cutShort = cancelled.length > 0 || session.users > 0;
    for (const { id } of cancelled) if (id !== undefined) this.endRun(session, id, CANCELLED);
    this.#appendEnd(session, entry);
    for (const run of cancelled) run.abort();
    return true;
  }

  /** Ends the session that `id` stands for now. With a shared engine `true` means that it was asked. */
  endById(id: string, outcome: Outcome): boolean {
    const known = this.registry.find(id);
    if (known !== undefined && (known.opened || known.opening)) return this.end(known, outcome);
    if (!this.shared || this.closed) return false;
    // Another process may have opened it; the engine knows.
    const session = this.join(id);
    const entry = this.#endEntry(session, checkEnd(outcome, undefined, this.limits.strict));
    this.engine.append(session, entry, entryBytes(entry));
    this.registry.release(session);
    return true;
  }

  /** Closes a run that does not end its session. */
  endRun(given: Session, run: string, outcome: Outcome): void {
    const session = this.#current(given);
    if (session === undefined) return;
    this.#closeRun(session, this.#endEntry(session, checkEnd(outcome, run, this.limits.strict)));
  }

  /**
   * The session that `given`, which a handle holds, stands for now; `undefined` when another incarnation has begun.
   *
   * A handle may outlive the stub of its session. It goes on where it was, also when somebody waits under its id.
   */
  #current(given: Session): Session | undefined {
    const session = given.successor ?? given;
    if (session.state !== "gone") return session;
    const holder = this.registry.find(session.id);
    if (holder?.opened || session.outcome !== undefined) return undefined;
    if (holder !== undefined) this.registry.succeed(session, holder);
    return holder ?? session;
  }

  #admit(session: Session, entry: LogEntry): boolean {
    const bytes = entryBytes(entry);
    if (bytes > this.limits.history.maxBytes) return this.#tooLong(session);
    if (!this.#hasRoom(session, bytes)) return this.#tooMuch(session);
    // Filters, hooks and listeners have run on the way, and may have ended it, or closed the bus.
    if (session.outcome !== undefined) return this.drops.add(session, "ended");
    if (this.closed) return this.drops.add(session, "closed");
    this.engine.append(session, entry, bytes);
    return true;
  }

  /** Whether `session` is live and has room for `bytes` more, after making it. May run filters and hooks. */
  #hasRoom(session: Session, bytes: number): boolean {
    if (this.shared) return true;
    if (session.state !== "live" && !this.eviction.admit(session)) return false;
    this.followers.makeWay(session, bytes);
    if (session.lost > 0) this.#tellLost(session);
    return this.eviction.makeRoom(bytes, session);
  }

  /** Only where limits are tiny and names are long: everything else is cut to fit. */
  #tooLong(session: Session): false {
    const fault = new TypeError("Expected shorter names: an event of them alone does not fit");
    this.faults.ofReport(fault, session.id);
    return false;
  }

  #tooMuch(session: Session): false {
    session.lost++;
    return this.drops.add(session, "full");
  }

  #tellLost(session: Session): void {
    const gap = droppedGap(session.lost);
    const bytes = entryBytes(gap);
    // Without a log it becomes a hole, which takes no room.
    if (session.state === "live" && !this.eviction.makeRoom(bytes, session)) return;
    session.lost = 0;
    this.engine.append(session, gap, bytes);
  }

  /** `event` as an entry within `maxEventBytes`; what that cost is told. */
  #entryOf(
    session: Session,
    event: SessionEvent,
    dataJson: string | undefined,
    tell = this.faults.ofReport,
  ): LogEntry {
    const { maxEventBytes } = this.limits;
    if (surelyFits(event, dataJson, maxEventBytes)) return entryOf(event, dataJson);
    const fitted = fitEvent(event, dataJson, maxEventBytes);
    for (const fault of fitted.faults) tell(fault, session.id);
    return entryOf(fitted.event, fitted.dataJson);
  }

  /** An end within `maxEventBytes`; what is wrong with it is told, never thrown: it must reach every follower. */
  #endEntry(session: Session, { event, dataJson, faults }: Checked<RunEndEvent | SessionEndEvent>): LogEntry {
    if (faults !== undefined) for (const fault of faults) this.faults.tell(fault, session.id);
    return this.#entryOf(session, event!, dataJson, this.faults.tell);
  }

  #closeRun(session: Session, entry: LogEntry): boolean {
    return !this.closed && !session.log.ended && this.#appendEnd(session, entry);
  }

  /** Ends are never refused by a limit: at worst they say only how it ended. */
  #appendEnd(session: Session, given: LogEntry): true {
    let entry = given;
    if (!this.#hasRoom(session, entryBytes(given))) {
      entry = bareEnd(given);
      const fits = this.#hasRoom(session, entryBytes(entry));
      if (!fits && session.state === "live") this.registry.evict(session);
      if (session.lost > 0 && session.state !== "live") this.#tellLost(session);
    }
    this.engine.append(session, entry, entryBytes(entry));
    return true;
  }
}
