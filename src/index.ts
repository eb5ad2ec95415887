export { createEventBus } from "./bus/create-event-bus.ts";
export { isSessionProgressError, SessionProgressError } from "./runtime/errors.ts";
export {
  bindReporter,
  createReporter,
  currentReporter,
  reportProgress,
  withAgent,
} from "./report/reporter.ts";
export { createSessionId } from "./bus/session-registry.ts";

export type {
  BusStats,
  EndOptions,
  EventBusOptions,
  ReporterOptions,
  SessionEventBus,
} from "./bus/create-event-bus.ts";
export type { SessionProgressErrorCode } from "./runtime/errors.ts";
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
} from "./protocol/event.ts";
export type { After, FollowOptions } from "./bus/iterate.ts";
export type { BusHooks, DropReason } from "./bus/hooks.ts";
export type { Reporter, Sink, SinkObject } from "./report/reporter.ts";
export type { RunContext, StartedRun, StartOptions } from "./bus/run.ts";
