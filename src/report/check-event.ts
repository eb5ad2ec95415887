import type { GapEvent, SessionEvent } from "../protocol/event.ts";
import { mismatch } from "../runtime/errors.ts";
import { isName, isPhase, isStatus } from "./check-report.ts";
import { toJson } from "./json-data.ts";

type Fields = Record<string, unknown>;

/** What a field has to be, in code and in words. */
interface Rule {
  readonly is: (value: unknown) => boolean;
  readonly expected: string;
  readonly optional?: true;
}

const name: Rule = { is: isName, expected: "a string of 1 to 256 characters" };
const text: Rule = { is: isString, expected: "a string" };
const time: Rule = { is: (value) => isString(value) && value.length <= 64, expected: "a time in ISO 8601" };
const path: Rule = {
  is: (value) => isString(value) && value.length <= 512,
  expected: "a string of up to 512 characters",
};
const count: Rule = { is: isCount, expected: "a finite number, 0 or more" };
const fraction: Rule = { is: (value) => isCount(value) && value <= 1, expected: "a number from 0 to 1" };
const whole: Rule = {
  is: (value) => isCount(value) && Number.isSafeInteger(value),
  expected: "a whole number",
};
const phase: Rule = { is: isPhase, expected: '"think", "progress", "decision" or "result"' };
const status: Rule = { is: isStatus, expected: '"completed", "failed" or "cancelled"' };

const END = { status, msg: maybe(text), ts: time };

/** The fields of an event of each type, in their order on the wire. */
const FIELDS: Readonly<Record<SessionEvent["t"], Readonly<Record<string, Rule>>>> = {
  agent_event: {
    agent: name,
    phase,
    msg: text,
    pct: maybe(fraction),
    ts: time,
    progress: maybe(count),
    total: maybe(count),
    run: maybe(name),
    task: maybe(path),
    overall: maybe(fraction),
  },
  run_end: { run: name, ...END },
  session_end: END,
  gap: { lost: maybe(whole), missed: maybe(whole) },
};

/** An event, and the JSON of its `data` when it has any. */
export interface CheckedEvent {
  /** Without its `data`. */
  readonly event: SessionEvent;
  readonly dataJson: string | undefined;
}

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
  return { event: known(fields), dataJson: json };
}

const NO_DATA = { json: undefined, fault: undefined };

/** A gap of another log is a loss to this one: a hole of its own would be a lie. */
export function droppedGap(lost: number | undefined): GapEvent {
  return Object.freeze({ t: "gap", reason: "dropped", ...(lost !== undefined && { lost }) });
}

function read(given: object): Fields {
  try {
    return { ...given };
  } catch (cause) {
    throw new TypeError("Expected `event` to be readable, got a getter that throws", { cause });
  }
}

function known(given: Fields): SessionEvent {
  const { t } = given;
  if (!isString(t) || !Object.hasOwn(FIELDS, t)) {
    throw mismatch("event.t", "the type of a session's event", t);
  }
  const event: Fields = { t };
  for (const [field, { is, expected, optional }] of Object.entries(FIELDS[t as SessionEvent["t"]])) {
    const value = given[field];
    if (value === undefined && optional) continue;
    if (!is(value)) throw mismatch(`event.${field}`, expected, value);
    event[field] = value;
  }
  if (t === "gap") return droppedGap((event["lost"] ?? event["missed"]) as number | undefined);
  if (given["cut"] === true) event["cut"] = true;
  return Object.freeze(event) as unknown as SessionEvent;
}

function maybe(rule: Rule): Rule {
  return { ...rule, optional: true };
}

function isString(value: unknown): value is string {
  return typeof value === "string";
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && value >= 0 && value < Infinity;
}
