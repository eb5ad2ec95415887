import { debugOnce } from "../runtime/diagnostics.ts";
import { messageOf, mismatch } from "../runtime/errors.ts";
import type {
  AgentEvent,
  EventData,
  GapEvent,
  Outcome,
  Phase,
  ProgressReport,
  RunEndEvent,
  SessionEndEvent,
  SessionEvent,
  Status,
} from "../protocol/event.ts";

/** Where a report comes from: what the reporter knows and the report need not say. */
export interface Scope {
  readonly agent?: string | undefined;
  readonly run?: string | undefined;
}

/** Told what is wrong with a report; may throw to refuse it. */
export type Fault = (error: TypeError) => void;

export const DEFAULT_AGENT = "agent";
export const DEFAULT_MAX_EVENT_BYTES = 65_536;
const MAX_NAME = 256;
const PHASES: ReadonlySet<unknown> = new Set<Phase>(["think", "progress", "decision", "result"]);
const STATUSES: ReadonlySet<unknown> = new Set<Status>(["completed", "failed", "cancelled"]);

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/**
 * Checks a report and makes the event of it.
 *
 * A bad part costs that part: it is told to `fault` and left out, the rest goes out.
 */
export function agentEvent(report: ProgressReport, scope: Scope, fault: Fault): AgentEvent | undefined {
  // Callers without types, and `report(undefined)`, are the normal case for a function used everywhere.
  if (typeof report !== "object" || (report as unknown) === null) {
    fault(mismatch("report", "an object", report));
    return undefined;
  }
  let given;
  try {
    const { agent, data, message, phase, progress, total = 1 } = report;
    given = { agent, data, message, phase, progress, total };
  } catch (cause) {
    fault(new TypeError("Expected `report` to be readable, got a getter that throws", { cause }));
    return undefined;
  }
  const t = "agent_event";
  const agent = checkAgent(given.agent, fault) ?? scope.agent ?? DEFAULT_AGENT;
  const phase = given.phase === undefined ? "progress" : checkPhase(given.phase, fault);
  const msg = given.message === undefined ? "" : checkMessage(given.message, fault);
  const total = given.total === 1 ? 1 : checkTotal(given.total, fault);
  const progress = given.progress === undefined ? undefined : checkProgress(given.progress, fault);
  const pct = progress === undefined || total === undefined ? undefined : fraction(progress, total);
  const ts = timestamp();
  // What logs retain: fields that stand in the literal take half of what fields added later do.
  const event: Mutable<AgentEvent> =
    pct === undefined ? { t, agent, phase, msg, ts } : { t, agent, phase, msg, pct, ts };
  if (total !== 1) {
    if (progress !== undefined) event.progress = progress;
    if (total !== undefined) event.total = total;
  }
  if (scope.run !== undefined) event.run = scope.run;
  if (given.data !== undefined) {
    const copy = jsonCopy(given.data, fault);
    if (copy !== undefined) event.data = copy;
  }
  return Object.freeze(event);
}

/** The end of a run, or of the session when `run` is left out. */
export function endEvent(outcome: Outcome, run: undefined, fault: Fault): SessionEndEvent;
export function endEvent(outcome: Outcome, run: string, fault: Fault): RunEndEvent;
export function endEvent(
  outcome: Outcome,
  run: string | undefined,
  fault: Fault,
): SessionEndEvent | RunEndEvent {
  const { status, message, data } = outcome;
  const msg = message === undefined ? "" : checkMessage(message, fault);
  const copy = data === undefined ? undefined : jsonCopy(data, fault);
  return Object.freeze({
    ...(run === undefined ? { t: "session_end" as const } : { t: "run_end" as const, run }),
    status,
    ...(msg !== "" && { msg }),
    ...(copy !== undefined && { data: copy }),
    ts: timestamp(),
  });
}

/** Throws unless `outcome` has a known status. */
export function checkOutcome(outcome: Outcome): void {
  if (!STATUSES.has(outcome.status)) {
    throw mismatch("status", '"completed", "failed" or "cancelled"', outcome.status);
  }
}

/** `value` as JSON; `undefined` when JSON has no word for it. */
export function toJson(value: unknown): string | undefined {
  return JSON.stringify(value);
}

/** A deeply frozen JSON copy of `value`; `undefined` (and a fault) when JSON cannot say it. */
export function jsonCopy(value: EventData, fault: Fault): EventData | undefined {
  try {
    const json = toJson(value);
    if (json !== undefined) {
      const copy: EventData = JSON.parse(json);
      return deepFreeze(copy);
    }
  } catch (cause) {
    fault(new TypeError(`Expected \`data\` to be JSON: ${messageOf(cause)}`, { cause }));
    return undefined;
  }
  fault(mismatch("data", "JSON", value));
  return undefined;
}

/**
 * `event` cut to `maxBytes` of JSON: `data` goes when it would leave no room for the message, then the
 * message is shortened.
 */
export function fitEvent<E extends SessionEvent>(event: E, maxBytes: number, fault: Fault): E {
  const { msg = "", data, ...rest } = event as Exclude<SessionEvent, GapEvent>;
  let room = maxBytes - jsonBytes(rest) - '"msg":"","data":,'.length;
  const dataBytes = data === undefined ? 0 : jsonBytes(data);
  const keepsData = data !== undefined && dataBytes <= room - Math.min(jsonBytes(msg), 256);
  if (keepsData) room -= dataBytes;
  else if (data !== undefined) {
    fault(
      new TypeError(
        `Expected \`data\` to leave room in an event of ${maxBytes} bytes, got ${dataBytes} bytes`,
      ),
    );
  }
  const cut = cutToBytes(msg, room);
  if (cut !== msg) {
    fault(
      new TypeError(
        `Expected \`message\` to fit an event of ${maxBytes} bytes, got ${msg.length} characters`,
      ),
    );
  }
  const fitted: { msg?: string; data?: unknown } = { ...event, ...("msg" in event && { msg: cut }) };
  if (!keepsData) delete fitted.data;
  return Object.freeze(fitted) as E;
}

/** Bytes of `text` in UTF-8; where there is no `Buffer` to count, an upper bound. */
export const utf8Length: (text: string) => number =
  (globalThis as { Buffer?: { byteLength(this: void, text: string): number } }).Buffer?.byteLength ??
  ((text) => text.length * 3);

function jsonBytes(value: unknown): number {
  return utf8Length(JSON.stringify(value));
}

function cutToBytes(text: string, room: number): string {
  let cut = text;
  for (let bytes = jsonBytes(cut); bytes > room && cut !== ""; bytes = jsonBytes(cut)) {
    const length = Math.floor((cut.length * Math.max(room - 8, 0)) / bytes);
    cut = length === 0 ? "" : `${text.slice(0, length).replace(/[\uD800-\uDBFF]$/, "")}…`;
  }
  return cut;
}

function fraction(progress: number, total: number): number {
  if (progress <= total) return progress / total;
  debugOnce("total", `\`progress\` ${progress} is more than \`total\` ${total}: forgot \`total: 100\`?`);
  return 1;
}

function checkProgress(progress: unknown, fault: Fault): number | undefined {
  if (typeof progress === "number" && progress >= 0 && progress < Infinity) return progress;
  fault(mismatch("progress", finite(progress) ? "0 or more" : "a finite number", progress));
  return undefined;
}

/** A bad total counts as unknown: taking it for 1 would show a full bar. */
function checkTotal(total: unknown, fault: Fault): number | undefined {
  if (total === null || (typeof total === "number" && total > 0 && total < Infinity))
    return total ?? undefined;
  fault(mismatch("total", finite(total) ? "more than 0" : "a finite number or null", total));
  return undefined;
}

function checkPhase(phase: unknown, fault: Fault): Phase {
  if (PHASES.has(phase)) return phase as Phase;
  fault(mismatch("phase", '"think", "progress", "decision" or "result"', phase));
  return "progress";
}

function checkMessage(message: unknown, fault: Fault): string {
  if (typeof message === "string") return message;
  fault(mismatch("message", "a string", message));
  return "";
}

/** A usable agent name, or `undefined`. */
export function checkAgent(agent: unknown, fault: Fault): string | undefined {
  if (agent === undefined || (typeof agent === "string" && agent !== "" && agent.length <= MAX_NAME)) {
    return agent;
  }
  fault(mismatch("agent", `a string of 1 to ${MAX_NAME} characters`, agent));
  return typeof agent === "string" && agent !== "" ? agent.slice(0, MAX_NAME) : undefined;
}

function finite(value: unknown): boolean {
  return typeof value === "number" && Number.isFinite(value);
}

function deepFreeze<T>(value: T): T {
  if (typeof value !== "object" || value === null) return value;
  for (const inner of Object.values(value)) deepFreeze(inner);
  return Object.freeze(value);
}

let lastMs = -1;
let lastTimestamp = "";

/** Now, ISO 8601 in UTC. Formatting costs more than the rest of a report, so once a millisecond. */
function timestamp(): string {
  const ms = Date.now();
  if (ms !== lastMs) {
    lastTimestamp = new Date(ms).toISOString();
    lastMs = ms;
  }
  return lastTimestamp;
}
