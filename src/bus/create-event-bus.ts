import { attachCore, BusCore, type BusLimits } from "./hub.ts";
import { mismatch } from "../runtime/errors.ts";
import type { Outcome, ProgressReport, SessionEntry } from "../protocol/event.ts";
import { checkAgent, checkOutcome, DEFAULT_MAX_EVENT_BYTES } from "../report/check-report.ts";
import { type After, follow, type FollowOptions, subscribe } from "./iterate.ts";
import type { BusHooks } from "./hooks.ts";
import { makeReporter, type Reporter, type SinkObject, sinkTarget } from "../report/reporter.ts";
import { type RunContext, startRun, type StartedRun, type StartOptions } from "./run.ts";
import { Session } from "./session.ts";
import { badSessionId, checkSessionId, checkWhole, isSessionId } from "./session-registry.ts";
import { settlesWithin } from "../runtime/timers.ts";

/** Options of {@link createEventBus}. All of them bound something; the defaults suit one busy process. */
export interface EventBusOptions {
  /**
   * What is kept of sessions for those who come late or back.
   *
   * @defaultValue 1,000 events and 1 MiB a session, 256 MiB in total
   */
  history?:
    | {
        maxEvents?: number | undefined;
        maxBytes?: number | undefined;
        maxTotalBytes?: number | undefined;
      }
    | undefined;
  /** How long an ended session keeps its log; for 24 hours more it is known how it ended. Default 10 minutes. */
  retentionMs?: number | undefined;
  /** How long a session that nobody follows or reports to keeps its log. Default 1 hour. */
  idleMs?: number | undefined;
  /** Sessions that have a log. Default 100,000. */
  maxSessions?: number | undefined;
  /** Connections to one session; more are answered 429. Default 1,000. */
  maxFollowersPerSession?: number | undefined;
  /** Connections in all. Default 10,000. */
  maxFollowers?: number | undefined;
  /** One event as JSON; a longer message is cut, larger `data` left out. Default 64 KiB. */
  maxEventBytes?: number | undefined;
  /** Throws what is wrong with a report at the code that reports, for development. Default `false`. */
  strict?: boolean | undefined;
}

/** Counts of one bus, in this process. */
export interface BusStats {
  /** Sessions that have a log. */
  readonly sessions: number;
  /** Who follows now: connections, iterators and listeners. */
  readonly followers: number;
  /** Entries written since the bus was made. */
  readonly events: number;
  /** Gaps that followers were told of since then. */
  readonly gaps: number;
  /** Reports that were not taken since then. */
  readonly drops: number;
  /** About how many bytes all logs take. */
  readonly bytes: number;
}

/** What a reporter of a session may be given. */
export interface ReporterOptions {
  /** The agent of its reports, unless they name one. */
  agent?: string | undefined;
  /** Only this incarnation: when the session has gone on to another, reports are refused. */
  epoch?: string | undefined;
}

/** How a session is ended: an {@link Outcome} without an error. */
export interface EndOptions {
  /** Default `"completed"`. */
  status?: Outcome["status"] | undefined;
  message?: string | undefined;
  data?: Outcome["data"];
}

/**
 * Sessions by id: each a bounded log that any number of followers read. Sessions never mix.
 *
 * A session id is 1 to 128 of `A-Z a-z 0-9 . _ : ~ -`; anything else is a `TypeError`, except in `publish`,
 * which never throws. All methods work detached.
 */
export interface SessionEventBus {
  /**
   * Calls `fn` now under a reporter of its session; when it is over, ends the session with how it went.
   *
   * What `fn` throws does not leave `done`, and its text never goes to followers.
   * @throws {SessionProgressError} `closed`, after `close`.
   */
  readonly start: <T>(fn: (run: RunContext) => T | PromiseLike<T>, options?: StartOptions<T>) => StartedRun;
  /** Calls `fn` with the session as its context and returns or throws what it does. Ends nothing. */
  readonly run: <T>(sessionId: string, fn: () => T) => T;
  /** A handle to report to a session. Opens it; an ended one begins anew. */
  readonly reporter: (sessionId: string, options?: ReporterOptions) => Reporter;
  /** A session as a sink, to report to it and elsewhere at once: `createReporter(bus.sink(id), other)`. */
  readonly sink: (sessionId: string) => SinkObject;
  /** Reports with an explicit session id. `false`: malformed, ended or full. Never opens an ended session. */
  readonly publish: (sessionId: string, report: ProgressReport) => boolean;
  /**
   * Calls `listener` for each entry, synchronously inside the report, until the end. Sees every entry.
   *
   * With `after` first replays, synchronously. Default `after: "now"`. Keep listeners short: reporters wait.
   * @returns Stops it.
   */
  readonly subscribe: (
    sessionId: string,
    listener: (entry: SessionEntry) => unknown,
    options?: FollowOptions,
  ) => () => void;
  /**
   * The session's entries until its end. A slow consumer may get a gap. Default `after: "start"`.
   *
   * Stops quietly when `signal` aborts or the bus closes.
   */
  readonly follow: (sessionId: string, options?: FollowOptions) => AsyncIterable<SessionEntry>;
  /** Ends the session; the first end wins. Its runs' signals abort. */
  readonly end: (sessionId: string, options?: EndOptions) => void;
  /** Ends followers' connections; they may come back and are asked again. `where` gets what they came with. */
  readonly disconnect: (sessionId: string, where?: (request: unknown) => boolean) => void;
  /** Resolves when everything reported here was offered to this process's followers. */
  readonly flush: () => Promise<void>;
  /**
   * Refuses new runs and followers, waits up to `graceMs` (default 0) for runs, aborts the rest, and closes
   * every connection without an `end`: clients come back to another process. Idempotent.
   */
  readonly close: (options?: { graceMs?: number | undefined }) => Promise<void>;
  readonly stats: () => BusStats;
  /** Listens to a hook ({@link BusHooks}); to follow a session use `subscribe`. */
  readonly on: <E extends keyof BusHooks>(name: E, hook: BusHooks[E]) => void;
  readonly off: <E extends keyof BusHooks>(name: E, hook: BusHooks[E]) => void;
  readonly once: <E extends keyof BusHooks>(name: E, hook: BusHooks[E]) => void;
}

export type { After };

/** How long `close` waits for clients to take their last bytes. */
const CLOSE_MS = 300;

/**
 * Makes an event bus; a process needs one.
 *
 * @throws {TypeError} If an option is malformed.
 */
export function createEventBus(options: EventBusOptions = {}): SessionEventBus {
  const core = new BusCore(checkOptions(options));
  let closed: Promise<void> | undefined;

  const bus: SessionEventBus = {
    start: (fn, startOptions) => startRun(core, fn, startOptions),
    run: (sessionId, fn) => bus.reporter(sessionId).run(fn),
    reporter: (sessionId, { agent, epoch } = {}) => {
      checkSessionId(sessionId);
      checkAgent(agent, throwIt);
      const session = epoch === undefined ? core.open(sessionId) : incarnation(core, sessionId, epoch);
      const target = sinkTarget([core.sinkOf(session)], {
        refused: () => void core.drop(sessionId, "ended"),
      });
      return makeReporter(target, { agent });
    },
    sink: (sessionId) => {
      checkSessionId(sessionId);
      return core.sinkOf(core.open(sessionId));
    },
    publish: (sessionId, report) => {
      if (isSessionId(sessionId)) return core.publish(sessionId, report);
      core.faultOf("")(badSessionId(sessionId));
      return false;
    },
    subscribe: (sessionId, listener, followOptions) => {
      checkSessionId(sessionId);
      return subscribe(core, sessionId, listener, followOptions);
    },
    follow: (sessionId, followOptions) => {
      checkSessionId(sessionId);
      return follow(core, sessionId, followOptions);
    },
    end: (sessionId, { status = "completed", message, data } = {}) => {
      checkSessionId(sessionId);
      const outcome = { status, message, data };
      checkOutcome(outcome);
      const known = core.sessions.find(sessionId);
      if (known?.outcome === undefined) core.endWith(core.open(sessionId), outcome);
    },
    disconnect: (sessionId, where) => {
      checkSessionId(sessionId);
      core.sessions.find(sessionId)?.disconnect(where);
    },
    flush: () => {
      core.turn.flush();
      return Promise.resolve();
    },
    close: ({ graceMs = 0 } = {}) => {
      checkWhole("graceMs", graceMs, 0);
      return (closed ??= close(core, graceMs));
    },
    stats: () => ({
      sessions: core.sessions.size,
      followers: core.followers,
      events: core.events,
      gaps: core.gaps,
      drops: core.drops,
      bytes: core.bytes,
    }),
    on: core.hooks.on,
    off: core.hooks.off,
    once: core.hooks.once,
  };
  attachCore(bus, core);
  return Object.freeze(bus);
}

async function close(core: BusCore, graceMs: number): Promise<void> {
  core.closing = true;
  const runs = [...core.sessions.all()].flatMap((session) => [...session.runs]);
  if (graceMs > 0 && runs.length > 0) await settlesWithin(Promise.all(runs.map((run) => run.done)), graceMs);
  for (const run of runs) run.cancel({ status: "cancelled" });
  core.closed = true;
  core.turn.flush();
  for (const session of core.sessions.all()) {
    for (const follower of session.followers) follower.disconnect(true);
  }
  if (!(await settlesWithin(core.allClosed(), CLOSE_MS))) {
    for (const connection of core.connections) connection.destroy();
    await settlesWithin(core.allClosed(), CLOSE_MS);
  }
  core.sessions.clear();
}

/** The session in exactly this incarnation; when it is gone, one that refuses every report. */
function incarnation(core: BusCore, sessionId: string, epoch: string): Session {
  const known = core.sessions.find(sessionId);
  if (known?.opened && known.epoch === epoch) return known;
  const gone = new Session(sessionId, core);
  gone.open(epoch);
  gone.outcome = { status: "cancelled" };
  return gone;
}

function checkOptions(options: EventBusOptions): BusLimits {
  const { history = {}, retentionMs = 600_000, idleMs = 3_600_000, strict = false } = options;
  const { maxEvents = 1_000, maxBytes = 1 << 20, maxTotalBytes = 256 << 20 } = history;
  const { maxSessions = 100_000, maxFollowersPerSession = 1_000, maxFollowers = 10_000 } = options;
  const { maxEventBytes = Math.min(DEFAULT_MAX_EVENT_BYTES, maxBytes) } = options;
  const counts = { retentionMs, idleMs, maxSessions, maxFollowersPerSession, maxFollowers };
  for (const [name, value] of Object.entries(counts)) checkWhole(name, value, 1);
  checkWhole("history.maxEvents", maxEvents, 1);
  checkWhole("history.maxBytes", maxBytes, 1_024);
  checkWhole("history.maxTotalBytes", maxTotalBytes, 1_024);
  checkWhole("maxEventBytes", maxEventBytes, 1_024);
  if (maxEventBytes > maxBytes)
    throw mismatch("maxEventBytes", `at most \`history.maxBytes\` (${maxBytes})`, maxEventBytes);
  if (typeof strict !== "boolean") throw mismatch("strict", "a boolean", strict);
  return {
    history: { maxEvents, maxBytes: Math.min(maxBytes, maxTotalBytes) },
    maxTotalBytes,
    maxEventBytes,
    strict,
    ...counts,
  };
}

function throwIt(error: Error): never {
  throw error;
}
