/**
 * Your own types, added by declaration merging: types `data` in reports and events at once.
 *
 * @example
 * ```ts
 * declare module "session-progress" {
 *   interface Register { data: { file: string } }
 * }
 * ```
 */
export interface Register {}

/** What `data` may hold: `unknown`, or what {@link Register} says. */
export type EventData = Register extends {
  /** What you have registered. */
  data: infer Data;
}
  ? Data
  : unknown;

/** What a report is about. A `result` is one agent's result, never the end of the session. */
export type Phase = "think" | "progress" | "decision" | "result";

/** How a run or a session ended. */
export type Status = "completed" | "failed" | "cancelled";

/** What code passes to `reportProgress`. Every part may be left out. */
export interface ProgressReport {
  /**
   * What is going on, for a person to read.
   *
   * @defaultValue `""`
   */
  message?: string | undefined;
  /** How far the work is, in the unit of `total`. Not negative; should not fall within one agent's work. */
  progress?: number | undefined;
  /**
   * What `progress` counts towards; `null` means unknown, as a missing `total` does in MCP.
   *
   * @defaultValue 1
   */
  total?: number | null | undefined;
  /**
   * Who reports: 1 to 256 characters.
   *
   * @defaultValue the innermost `withAgent`, else `"agent"`
   */
  agent?: string | undefined;
  /**
   * What the report is about.
   *
   * @defaultValue `"progress"`
   */
  phase?: Phase | undefined;
  /** Anything that JSON can say. Serialised at once, so the object may change afterwards. */
  data?: EventData | undefined;
}

/** A report as logs hold it and the wire carries it. Frozen. What is unknown is left out, never `null`. */
export interface AgentEvent {
  /** Tells this kind of event from the others. */
  readonly t: "agent_event";
  /** Who reported: 1 to 256 characters. */
  readonly agent: string;
  /** What the report is about. */
  readonly phase: Phase;
  /** What is going on, for a person to read; may be `""`. */
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
  /** Reserved: the path of the task inside which it was reported. */
  readonly task?: string;
  /** Reserved: how far the whole run is, a fraction from 0 to 1. */
  readonly overall?: number;
  /** `true` when something had to be cut to keep the event within `maxEventBytes`. */
  readonly cut?: true;
  /** What the report brought along, as JSON says it. */
  readonly data?: EventData;
}

/** A run has ended, its session goes on. */
export interface RunEndEvent {
  /** Tells this kind of event from the others. */
  readonly t: "run_end";
  /** Which run. */
  readonly run: string;
  /** How it ended. */
  readonly status: Status;
  /** A word about it; left out when there is none. */
  readonly msg?: string;
  /** When it ended, ISO 8601 in UTC. */
  readonly ts: string;
  /** `true` when something had to be cut to keep the event within `maxEventBytes`. */
  readonly cut?: true;
  /** What the run brought, as JSON says it. */
  readonly data?: EventData;
}

/** The session has ended; nothing follows. */
export interface SessionEndEvent {
  /** Tells this kind of event from the others. */
  readonly t: "session_end";
  /** How it ended. */
  readonly status: Status;
  /** A word about it; left out when there is none. */
  readonly msg?: string;
  /** When it ended, ISO 8601 in UTC. */
  readonly ts: string;
  /** `true` when something had to be cut, or went when memory was short. */
  readonly cut?: true;
  /** What the session brought, as JSON says it. */
  readonly data?: EventData;
}

/**
 * Something could not be kept.
 *
 * - `behind`: `missed` entries left the log before this follower read them.
 * - `reset`: the position asked for means nothing here; the log is read from its start.
 * - `dropped`: `lost` reports never got into the log.
 */
export interface GapEvent {
  /** Tells this kind of event from the others. */
  readonly t: "gap";
  /** Why there is a gap. */
  readonly reason: "behind" | "reset" | "dropped";
  /** With `behind`: how many entries. */
  readonly missed?: number;
  /** With `dropped`: how many reports, if known. */
  readonly lost?: number;
}

/** All that a follower can see, told apart by `t`. */
export type SessionEvent = AgentEvent | RunEndEvent | SessionEndEvent | GapEvent;

/** How something ended. */
export interface Outcome {
  /** `completed`, `failed` or `cancelled`. */
  readonly status: Status;
  /** A word about it, for a person to read. */
  readonly message?: string | undefined;
  /** What it brought; anything that JSON can say. */
  readonly data?: EventData | undefined;
  /** What was thrown. Never leaves the process. */
  readonly error?: unknown;
}

/** An event together with its id. */
export interface SessionEntry {
  /** The follower's position after the event: `<epoch>-<n>`. */
  readonly id: string;
  /** The event, frozen. */
  readonly event: SessionEvent;
}

/** The gap that a follower is told of whose position means nothing here. */
export const RESET: GapEvent = Object.freeze({ t: "gap", reason: "reset" });
