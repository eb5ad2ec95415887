export { createEventBus } from "./bus.ts";
export { isSessionProgressError, SessionProgressError } from "./errors.ts";
export { bindReporter, createReporter, currentReporter, reportProgress, withAgent } from "./reporter.ts";
export { createSessionId } from "./sessions.ts";

export type { BusStats, EndOptions, EventBusOptions, ReporterOptions, SessionEventBus } from "./bus.ts";
export type { SessionProgressErrorCode } from "./errors.ts";
export type {
  AgentEvent,
  EventData,
  GapEvent,
  Outcome,
  Phase,
  ProgressReport,
  Register,
  RunEndEvent,
  SessionEndEvent,
  SessionEntry,
  SessionEvent,
  Status,
} from "./event.ts";
export type { After, FollowOptions } from "./follow.ts";
export type { BusHooks, DropReason } from "./hooks.ts";
export type { Reporter, Sink, SinkObject } from "./reporter.ts";
export type { RunContext, StartedRun, StartOptions } from "./run.ts";
