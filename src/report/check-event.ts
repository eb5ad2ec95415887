import type { AgentEvent, GapEvent, SessionEndEvent, SessionEvent } from "../protocol/event.ts";
import { mismatch } from "../runtime/errors.ts";
import { isName, isPhase, isStatus } from "./check-report.ts";
import { toJson } from "./json-data.ts";

type Fields = Record<string, unknown>;

/**
 * A checked, frozen copy of an event that another process, a worker or another copy of this package hands over.
 *
 * Such an event is made by a machine, so any fault refuses it whole; what this version does not know is left out.
 * @throws {TypeError} That names the field, what was expected and what came.
 */
export function checkEvent(given: unknown, strict: boolean): CheckedEvent {
  if (typeof given !== "object" || given === null) throw mismatch("event", "an object", given);
  const fields = read(given);
  const { json, fault } = fields["data"] === undefined ? NO_DATA : toJson(fields["data"], strict);
  if (fault !== undefined) throw fault;
  return { event: eventOf(fields), dataJson: json };
}

/** An event, and the JSON of its `data` when it has any. */
export interface CheckedEvent {
  /** Without its `data`. */
  readonly event: SessionEvent;
  readonly dataJson: string | undefined;
}

const NO_DATA = { json: undefined, fault: undefined };

function eventOf(event: Fields): SessionEvent {
  switch (event["t"]) {
    case "agent_event":
      return Object.freeze(agentEvent(event));
    case "run_end":
      return Object.freeze({ t: "run_end", run: take(event, "run", isName, A_NAME), ...end(event) });
    case "session_end":
      return Object.freeze({ t: "session_end", ...end(event) });
    case "gap":
      return lostEntries(event);
    default:
      throw mismatch("event.t", "the type of a session's event", event["t"]);
  }
}

/** A gap of another log is a loss to this one: a hole of its own would be a lie. */
export function droppedGap(lost: number | undefined): GapEvent {
  return Object.freeze({ t: "gap", reason: "dropped", ...(lost !== undefined && { lost }) });
}

const A_NAME = "a string of 1 to 256 characters";

function read(given: object): Fields {
  try {
    return { ...given };
  } catch (cause) {
    throw new TypeError("Expected `event` to be readable, got a getter that throws", { cause });
  }
}

function agentEvent(event: Fields): AgentEvent {
  const pct = maybe(event, "pct", isFraction, "a number from 0 to 1");
  return {
    t: "agent_event",
    agent: take(event, "agent", isName, A_NAME),
    phase: take(event, "phase", isPhase, '"think", "progress", "decision" or "result"'),
    msg: take(event, "msg", isString, "a string"),
    ...(pct !== undefined && { pct }),
    ts: take(event, "ts", isTime, "a time in ISO 8601"),
    ...maybeField(event, "progress", isCount, "a finite number, 0 or more"),
    ...maybeField(event, "total", isCount, "a finite number, 0 or more"),
    ...maybeField(event, "run", isName, A_NAME),
    ...maybeField(event, "task", isPath, "a string of up to 512 characters"),
    ...maybeField(event, "overall", isFraction, "a number from 0 to 1"),
    ...cut(event),
  };
}

function end(event: Fields): Omit<SessionEndEvent, "t"> {
  return {
    status: take(event, "status", isStatus, '"completed", "failed" or "cancelled"'),
    ...maybeField(event, "msg", isString, "a string"),
    ts: take(event, "ts", isTime, "a time in ISO 8601"),
    ...cut(event),
  };
}

function lostEntries(event: Fields): GapEvent {
  const lost = maybe(event, "lost", isWhole, "a whole number");
  return droppedGap(lost ?? maybe(event, "missed", isWhole, "a whole number"));
}

function cut(event: Fields): Pick<AgentEvent, "cut"> {
  return event["cut"] === true ? { cut: true } : {};
}

type Is<T> = (value: unknown) => value is T;

function take<T>(event: Fields, name: string, is: Is<T>, expected: string): T {
  const value = event[name];
  if (!is(value)) throw mismatch(`event.${name}`, expected, value);
  return value;
}

function maybe<T>(event: Fields, name: string, is: Is<T>, expected: string): T | undefined {
  return event[name] === undefined ? undefined : take(event, name, is, expected);
}

function maybeField<K extends string, T>(
  event: Fields,
  name: K,
  is: Is<T>,
  expected: string,
): Partial<Record<K, T>> {
  const value = maybe(event, name, is, expected);
  return (value === undefined ? {} : { [name]: value }) as Partial<Record<K, T>>;
}

function isTime(value: unknown): value is string {
  return isString(value) && value.length <= 64;
}

function isPath(value: unknown): value is string {
  return isString(value) && value.length <= 512;
}

function isString(value: unknown): value is string {
  return typeof value === "string";
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && value >= 0 && value < Infinity;
}

function isFraction(value: unknown): value is number {
  return isCount(value) && value <= 1;
}

function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
