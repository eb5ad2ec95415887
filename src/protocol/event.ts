/**
 * Your own types, added by declaration merging.
 *
 * @example
 * ```ts
 * declare module "session-progress" {
 *   interface Register { data: { file: string } }
 * }
 * ```
 * types `data` in reports and events at once.
 */

export interface Register {}

/** What `data` may hold: `unknown`, or what {@link Register} says. */
export type EventData = Register extends { data: infer Data } ? Data : unknown;

/** What a report is about. A `result` is one agent's result, never the end of the session. */
export type Phase = "think" | "progress" | "decision" | "result";

/** How a run or a session ended. */
export type Status = "completed" | "failed" | "cancelled";

/** What code passes to `reportProgress`. Every part may be left out. */
export interface ProgressReport {
  /** What is going on, for a person to read. Default `""`. */
  message?: string | undefined;
  /** How far the work is, in the unit of `total`. Not negative; should not fall within one agent's work. */
  progress?: number | undefined;
  /** What `progress` counts towards. Default 1; `null` means unknown, as a missing `total` does in MCP. */
  total?: number | null | undefined;
  /** Who reports. Default: the innermost `withAgent`, else `"agent"`. */
  agent?: string | undefined;
  /** Default `"progress"`. */
  phase?: Phase | undefined;
  /** Anything that JSON can say. Serialised at once, so it may change afterwards. */
  data?: EventData | undefined;
}

/** A report as logs hold it and the wire carries it. Frozen. What is unknown is left out, never `null`. */
export interface AgentEvent {
  readonly t: "agent_event";
  readonly agent: string;
  readonly phase: Phase;
  readonly msg: string;
  /** `progress / total`, a fraction from 0 to 1. */
  readonly pct?: number;
  /** When it was reported, ISO 8601 in UTC. */
  readonly ts: string;
  /** As reported; present when a total other than 1 was given. */
  readonly progress?: number;
  /** As reported; present when it is a number other than 1. */
  readonly total?: number;
  /** Which run of the session, when runs come and go in one session (`keepOpen`). */
  readonly run?: string;
  readonly task?: string;
  readonly parent?: string;
  readonly overall?: number;
  readonly data?: EventData;
}

/** A run has ended, its session goes on. */
export interface RunEndEvent {
  readonly t: "run_end";
  readonly run: string;
  readonly status: Status;
  readonly msg?: string;
  readonly data?: EventData;
  readonly ts: string;
}

/** The session has ended; nothing follows. */
export interface SessionEndEvent {
  readonly t: "session_end";
  readonly status: Status;
  readonly msg?: string;
  readonly data?: EventData;
  readonly ts: string;
}

/**
 * Something could not be kept.
 *
 * - `behind`: `missed` entries left the log before this follower read them.
 * - `reset`: the position asked for means nothing here; the log is read from its start.
 * - `dropped`: `lost` reports never got into the log.
 */
export interface GapEvent {
  readonly t: "gap";
  readonly reason: "behind" | "reset" | "dropped";
  readonly missed?: number;
  readonly lost?: number;
}

/** All that a follower can see, told apart by `t`. */
export type SessionEvent = AgentEvent | RunEndEvent | SessionEndEvent | GapEvent;

/** How something ended. */
export interface Outcome {
  readonly status: Status;
  readonly message?: string | undefined;
  readonly data?: EventData | undefined;
  /** What was thrown. Never leaves the process. */
  readonly error?: unknown;
}

/** An event together with its id: the follower's position after it, `<epoch>-<n>`. */
export interface SessionEntry {
  readonly id: string;
  readonly event: SessionEvent;
}
