import type { Outcome, ProgressReport, SessionEntry } from "../protocol/event.ts";
import type { Reporter } from "../report/reporter.ts";
import type { SinkObject } from "../report/sink.ts";
import type { BusHooks } from "./hooks.ts";
import type { RunContext, StartedRun, StartOptions } from "./run.ts";
import type { FollowOptions } from "./subscribe.ts";

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
  /** About how many bytes live sessions, their logs and what is encoded of them take; never above `maxTotalBytes`. */
  readonly bytes: number;
}

/** What a session is opened with. */
export interface OpenOptions {
  /**
   * Which session.
   *
   * @defaultValue a new id
   */
  sessionId?: string | undefined;
  /** Who it belongs to, as JSON: `authorize` and hooks get it. Changing it has followers asked again. */
  owner?: unknown;
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
  /**
   * How it ended.
   *
   * @defaultValue `"completed"`
   */
  status?: Outcome["status"] | undefined;
  /** A word about it, for a person to read. */
  message?: string | undefined;
  /** What it brought; anything that JSON can say. */
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
  /**
   * Opens a session without a run, so that its owner is known before the first follower. An ended one begins anew.
   *
   * @returns Its id, when every process sees session and owner: at once in memory.
   * @throws {SessionProgressError} `closed`, after `close`.
   */
  readonly open: (options?: OpenOptions) => Promise<string>;
  /**
   * Calls `fn` with the session as its context and returns or throws what it does. Starts no run and ends nothing.
   *
   * Opens the session; on an ended one `fn` is called too, and what it reports is refused.
   */
  readonly withSession: <T>(sessionId: string, fn: () => T) => T;
  /** A handle to report to a session. Opens it; on an ended one every report is refused. */
  readonly reporter: (sessionId: string, options?: ReporterOptions) => Reporter;
  /**
   * A session as a sink, to report to it and elsewhere at once: `createReporter(bus.sink(id), other)`. Events that
   * others made are checked and copied; a bad one is told to the `error` hook and answered `false`.
   */
  readonly sink: (sessionId: string) => SinkObject;
  /** Reports with an explicit session id. `false`: malformed, ended or full. Never opens an ended session. */
  readonly publish: (sessionId: string, report: ProgressReport) => boolean;
  /**
   * Calls `listener` for each entry, synchronously inside the report, until the end. Sees every entry.
   *
   * First replays, synchronously, what lies after `after`, by default all. Keep listeners short: reporters wait.
   * @returns What stops it.
   */
  readonly subscribe: (
    sessionId: string,
    listener: (entry: SessionEntry) => unknown,
    options?: FollowOptions,
  ) => () => void;
  /**
   * The session's entries until its end. A consumer that does not keep up may get a gap.
   *
   * Stops quietly when `signal` aborts or the bus closes.
   */
  readonly follow: (sessionId: string, options?: FollowOptions) => AsyncIterable<SessionEntry>;
  /**
   * Ends the session; the first end wins. Its runs' signals abort.
   *
   * @returns `false` when nobody has opened it, or it has ended: then nothing was done.
   */
  readonly end: (sessionId: string, options?: EndOptions) => boolean;
  /** Ends followers' connections; they may come back and are asked again. `where` gets what they came with. */
  readonly disconnect: (sessionId: string, where?: (request: unknown) => boolean) => void;
  /** Resolves when everything reported here was offered to this process's followers. */
  readonly flush: () => Promise<void>;
  /**
   * Refuses new runs and followers, waits up to `graceMs` (default 0) for runs, aborts the rest, and closes
   * every connection without an `end`: clients come back to another process. A second call may shorten the wait.
   */
  readonly close: (options?: { graceMs?: number | undefined }) => Promise<void>;
  /** Counts of this bus in this process. */
  readonly stats: () => BusStats;
  /** Listens to a hook ({@link BusHooks}); to follow a session use `subscribe`. */
  readonly on: <E extends keyof BusHooks>(name: E, hook: BusHooks[E]) => void;
  /** Takes a hook away; of several registrations of the same function the last. */
  readonly off: <E extends keyof BusHooks>(name: E, hook: BusHooks[E]) => void;
  /** As `on`, for one call. */
  readonly once: <E extends keyof BusHooks>(name: E, hook: BusHooks[E]) => void;
}
