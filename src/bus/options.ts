import type { Backplane } from "../backplane/port.ts";
import { ENTRY_OVERHEAD } from "../log/entry.ts";
import type { LogLimits } from "../log/session-log.ts";
import { SESSION_BYTES } from "./session.ts";
import { checkOptionNames, checkWhole, mismatch } from "../runtime/errors.ts";
import type { SessionLimits } from "./eviction.ts";

/** What is kept of sessions for those who come late or back. */
export interface HistoryOptions {
  /**
   * Entries a session.
   *
   * @defaultValue 10,000
   */
  maxEvents?: number | undefined;
  /**
   * Bytes a session, by what entries take in memory.
   *
   * @defaultValue 8 MiB
   */
  maxBytes?: number | undefined;
  /**
   * Bytes of all sessions together.
   *
   * @defaultValue 256 MiB
   */
  maxTotalBytes?: number | undefined;
}

/** Options of {@link createEventBus}. All of them bound something; the defaults suit one busy process. */
export interface EventBusOptions {
  /** What is kept of sessions for those who come late or back. */
  history?: HistoryOptions | undefined;
  /**
   * Milliseconds that an ended session keeps its log; for 24 hours more it is known how it ended.
   *
   * @defaultValue 600,000, ten minutes
   */
  retentionMs?: number | undefined;
  /**
   * Milliseconds that a session which nobody follows or reports to keeps its log.
   *
   * @defaultValue 3,600,000, one hour
   */
  idleMs?: number | undefined;
  /**
   * Sessions that have a log.
   *
   * @defaultValue 100,000
   */
  maxSessions?: number | undefined;
  /**
   * Connections to one session; more are answered 429. Iterators and listeners do not count.
   *
   * @defaultValue 1,000
   */
  maxFollowersPerSession?: number | undefined;
  /**
   * Connections in all.
   *
   * @defaultValue 10,000
   */
  maxFollowers?: number | undefined;
  /**
   * Bytes of one event as JSON; a longer message is cut, larger `data` left out.
   *
   * @defaultValue 1 MiB, and never more than the history has room for
   */
  maxEventBytes?: number | undefined;
  /**
   * Throws what is wrong with a report at the code that reports, for development.
   *
   * @defaultValue `false`
   */
  strict?: boolean | undefined;
  /**
   * The engine that several processes share.
   *
   * @defaultValue none: sessions live in this process
   */
  backplane?: Backplane | undefined;
  /**
   * The name by which there is one such bus in this process: who asks for it again gets the same, also from another
   * bundle, another copy of this package of the same internals, or after a hot reload. The first options count; others
   * are a process warning. `close` frees the name.
   *
   * @defaultValue none: a bus of its own
   */
  singleton?: string | undefined;
}

/** The checked options of a bus. */
export interface BusLimits extends SessionLimits {
  readonly history: LogLimits;
  readonly maxFollowersPerSession: number;
  readonly maxFollowers: number;
  readonly maxEventBytes: number;
  readonly strict: boolean;
}

/** One event as JSON, unless an option says otherwise. */
export const DEFAULT_MAX_EVENT_BYTES: number = 1 << 20;

const NAMES: Readonly<Record<keyof EventBusOptions, 1>> = {
  history: 1,
  retentionMs: 1,
  idleMs: 1,
  maxSessions: 1,
  maxFollowersPerSession: 1,
  maxFollowers: 1,
  maxEventBytes: 1,
  strict: 1,
  backplane: 1,
  singleton: 1,
};
const HISTORY_NAMES: Readonly<Record<keyof HistoryOptions, 1>> = {
  maxEvents: 1,
  maxBytes: 1,
  maxTotalBytes: 1,
};

/** @throws {TypeError} If an option is malformed. */
export function checkOptions(options: EventBusOptions): BusLimits {
  checkOptionNames("createEventBus", options, NAMES);
  const { history = {}, retentionMs = 600_000, idleMs = 3_600_000, strict = false, singleton } = options;
  checkOptionNames("createEventBus, `history`,", history, HISTORY_NAMES);
  const { maxEvents = 10_000, maxBytes = 8 << 20, maxTotalBytes = 256 << 20 } = history;
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
  if (singleton !== undefined && (typeof singleton !== "string" || singleton === ""))
    throw mismatch("singleton", "a name", singleton);
  const perLog = Math.min(maxBytes, maxTotalBytes - SESSION_BYTES);
  return {
    history: { maxEvents, maxBytes: perLog },
    maxTotalBytes,
    // What is kept takes a little more than its JSON, and must still fit.
    maxEventBytes: Math.min(maxEventBytes, perLog - ENTRY_OVERHEAD),
    strict,
    ...counts,
  };
}
