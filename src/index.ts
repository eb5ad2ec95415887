export { createEventBus } from "./bus/create-event-bus.ts";
export { createSessionId } from "./protocol/session-id.ts";
export { bindReporter, currentReporter, reportProgress, withAgent } from "./report/report-progress.ts";
export { createReporter } from "./report/reporter.ts";
export { isSessionProgressError, SessionProgressError } from "./runtime/errors.ts";

export type { Backplane, Incarnation, Opening, OpenState, Replica } from "./backplane/port.ts";
export type {
  BusStats,
  EndOptions,
  OpenOptions,
  ReporterOptions,
  SessionEventBus,
} from "./bus/session-event-bus.ts";
export type { BusHooks, DropReason } from "./bus/hooks.ts";
export type { EventBusOptions, HistoryOptions } from "./bus/options.ts";
export type { RunContext, StartedRun, StartOptions } from "./bus/run.ts";
export type { FollowOptions } from "./bus/subscribe.ts";
export type { After } from "./log/cursor.ts";
export type { LogEntry, TextEntry } from "./log/entry.ts";
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
export type { Reporter } from "./report/reporter.ts";
export type { Sink, SinkObject } from "./report/sink.ts";
export type { SessionProgressErrorCode } from "./runtime/errors.ts";
