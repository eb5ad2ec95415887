import type {
  AgentEvent,
  Outcome,
  Phase,
  ProgressReport,
  RunEndEvent,
  SessionEndEvent,
  Status,
} from "../protocol/event.ts";
import { debugOnce } from "../runtime/diagnostics.ts";
import { mismatch } from "../runtime/errors.ts";
import { wallNow } from "../runtime/timers.ts";
import { toJson } from "./json-data.ts";

/** What a reporter knows and its reports need not say. */
export interface Scope {
  readonly agent?: string | undefined;
  readonly run?: string | undefined;
}

/** An event, if one could be made, and everything that was wrong with what it was made of. */
export interface Checked<E> {
  /** Without its `data`. */
  event: E | undefined;
  /** The JSON of the event's `data`, when it has any. Few need more: a log keeps text. */
  dataJson: string | undefined;
  faults: TypeError[] | undefined;
}

/** The agent of a report that names none. */
const DEFAULT_AGENT = "agent";
const MAX_NAME = 256;
const PHASES: ReadonlySet<unknown> = new Set<Phase>(["think", "progress", "decision", "result"]);
const STATUSES: ReadonlySet<unknown> = new Set<Status>(["completed", "failed", "cancelled"]);

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/**
 * Checks a report and makes the event of it. A bad part costs that part, the rest goes out.
 *
 * Runs user code only in getters and `toJSON`; whatever those throw is a fault.
 */
export function checkReport(report: ProgressReport, scope: Scope, strict: boolean): Checked<AgentEvent> {
  const checked: Checked<AgentEvent> = { event: undefined, dataJson: undefined, faults: undefined };
  // Callers without types, and `report(undefined)`, are the normal case for a function used everywhere.
  if (typeof report !== "object" || (report as unknown) === null) {
    addFault(checked, mismatch("report", "an object", report));
    return checked;
  }
  let given;
  try {
    const { agent, data, message, phase, progress, total = 1 } = report;
    given = { agent, data, message, phase, progress, total };
  } catch (cause) {
    addFault(checked, new TypeError("Expected `report` to be readable, got a getter that throws", { cause }));
    return checked;
  }
  const t = "agent_event";
  const agent =
    (given.agent === undefined ? undefined : takeAgent(given.agent, checked)) ?? scope.agent ?? DEFAULT_AGENT;
  const phase = given.phase === undefined ? "progress" : takePhase(given.phase, checked);
  const msg = given.message === undefined ? "" : takeMessage(given.message, checked);
  const progress = given.progress === undefined ? undefined : takeProgress(given.progress, checked);
  const total = given.total === 1 ? 1 : takeTotal(given.total, progress, checked);
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
  if (given.data !== undefined) takeData(given.data, checked, strict);
  checked.event = Object.freeze(event);
  return checked;
}

/** The end of a run, or of the session when `run` is left out. An end always comes about, whatever is wrong with it. */
export function checkEnd(outcome: Outcome, run: undefined, strict: boolean): Checked<SessionEndEvent>;
export function checkEnd(outcome: Outcome, run: string, strict: boolean): Checked<RunEndEvent>;
export function checkEnd(
  outcome: Outcome,
  run: string | undefined,
  strict: boolean,
): Checked<SessionEndEvent | RunEndEvent> {
  const checked: Checked<SessionEndEvent | RunEndEvent> = {
    event: undefined,
    dataJson: undefined,
    faults: undefined,
  };
  const { status, message, data } = outcome;
  const msg = message === undefined ? "" : takeMessage(message, checked);
  if (data !== undefined) takeData(data, checked, strict);
  checked.event = Object.freeze({
    ...(run === undefined ? { t: "session_end" as const } : { t: "run_end" as const, run }),
    status,
    ...(msg !== "" && { msg }),
    ts: timestamp(),
  });
  return checked;
}

/** @throws {TypeError} Unless `outcome` has a known status. */
export function checkOutcome(outcome: Outcome): void {
  if (!STATUSES.has(outcome.status)) {
    throw mismatch("status", '"completed", "failed" or "cancelled"', outcome.status);
  }
}

/** @throws {TypeError} Unless `agent` may name one. */
export function checkAgent(agent: unknown): asserts agent is string {
  if (!isName(agent)) throw badAgent(agent);
}

/** Whether `phase` is one of the four. */
export function isPhase(phase: unknown): phase is Phase {
  return PHASES.has(phase);
}

/** Whether `status` is one of the three. */
export function isStatus(status: unknown): status is Status {
  return STATUSES.has(status);
}

/** Whether `name` may name an agent, a run or a task. */
export function isName(name: unknown): name is string {
  return typeof name === "string" && name !== "" && name.length <= MAX_NAME;
}

/** Adds to what is wrong. The list is made by the first fault: good reports, the usual ones, need none. */
function addFault(checked: Checked<unknown>, fault: TypeError): void {
  (checked.faults ??= []).push(fault);
}

function takeProgress(progress: unknown, checked: Checked<unknown>): number | undefined {
  if (isFiniteNumber(progress) && progress >= 0) return progress;
  const expected = isFiniteNumber(progress) ? "0 or more" : "a finite number";
  addFault(checked, mismatch("progress", expected, progress));
  return undefined;
}

/** A bad total counts as unknown: taking it for 1 would show a full bar. An empty list is 0 of 0, and no fault. */
function takeTotal(
  total: unknown,
  progress: number | undefined,
  checked: Checked<unknown>,
): number | undefined {
  if (total === null) return undefined;
  if (isFiniteNumber(total) && (total > 0 || (total === 0 && (progress ?? 0) === 0))) return total;
  const expected = isFiniteNumber(total) ? "more than 0" : "a finite number or null";
  addFault(checked, mismatch("total", expected, total));
  return undefined;
}

function fraction(progress: number, total: number): number | undefined {
  if (total === 0) return undefined;
  if (progress <= total) return progress / total;
  debugOnce("total", `\`progress\` ${progress} is more than \`total\` ${total}: forgot \`total: 100\`?`);
  return 1;
}

function takePhase(phase: unknown, checked: Checked<unknown>): Phase {
  if (isPhase(phase)) return phase;
  addFault(checked, mismatch("phase", '"think", "progress", "decision" or "result"', phase));
  return "progress";
}

function takeMessage(message: unknown, checked: Checked<unknown>): string {
  if (typeof message === "string") return message;
  addFault(checked, mismatch("message", "a string", message));
  return "";
}

/** A usable agent name, or `undefined`. */
function takeAgent(agent: unknown, checked: Checked<unknown>): string | undefined {
  if (isName(agent)) return agent;
  addFault(checked, badAgent(agent));
  return typeof agent === "string" && agent !== "" ? agent.slice(0, MAX_NAME) : undefined;
}

function takeData(data: unknown, checked: Checked<unknown>, strict: boolean): void {
  const { json, fault } = toJson(data, strict);
  if (fault !== undefined) addFault(checked, fault);
  checked.dataJson = json;
}

function badAgent(agent: unknown): TypeError {
  return mismatch("agent", `a string of 1 to ${MAX_NAME} characters`, agent);
}

function isFiniteNumber(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
}

let lastMs = -1;
let lastTimestamp = "";

/** Now, ISO 8601 in UTC. Formatting costs more than the rest of a report, so once a millisecond. */
function timestamp(): string {
  const ms = wallNow();
  if (ms !== lastMs) {
    lastTimestamp = new Date(ms).toISOString();
    lastMs = ms;
  }
  return lastTimestamp;
}
