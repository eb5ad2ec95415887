import type { GapEvent, SessionEvent } from "../protocol/event.ts";
import { utf8Length } from "../report/event-size.ts";
import { deepFreeze } from "../report/json-data.ts";

/**
 * What a log holds at a position: an event, or, when it has `data`, its JSON text.
 *
 * Text, because data as objects takes up to twenty times its JSON (an empty object is 3 bytes of JSON and 64 of
 * heap), so that no limit in bytes could hold; and because text cannot change or fail later.
 */
export type LogEntry = SessionEvent | TextEntry;

/** An event with `data`, as JSON, and what compaction must know of it. */
export class TextEntry {
  /** As the event's. */
  readonly t: Exclude<SessionEvent["t"], "gap">;
  /** As the event's. */
  readonly agent: string | undefined;
  /** As the event's. */
  readonly phase: string | undefined;
  /** As the event's. */
  readonly run: string | undefined;
  /** As the event's. */
  readonly task: string | undefined;
  /** The whole event. */
  readonly json: string;

  constructor(event: Exclude<SessionEvent, GapEvent>, json: string) {
    const { agent, phase, run, task } = event as Partial<Record<"agent" | "phase" | "run" | "task", string>>;
    this.t = event.t;
    this.agent = agent;
    this.phase = phase;
    this.run = run;
    this.task = task;
    this.json = json;
  }
}

/** Whether `entry` is kept as text. Not `instanceof`: the entry may come from the other copy of this package, ESM or CommonJS. */
export function isText(entry: LogEntry): entry is TextEntry {
  return (entry as Partial<TextEntry>).json !== undefined;
}

/** `event`, which is without its `data`, as a log keeps it; `dataJson` is the JSON of that, when it has any. */
export function entryOf(event: SessionEvent, dataJson: string | undefined): LogEntry {
  if (dataJson === undefined || event.t === "gap") return event;
  // Put together, not serialised again: `data` may be as deep as the stack just allowed.
  return new TextEntry(event, `${JSON.stringify(event).slice(0, -1)},"data":${dataJson}}`);
}

/** The event of `entry`: the very one, or a frozen copy read from its text. */
export function eventOf(entry: LogEntry): SessionEvent {
  if (!isText(entry)) return entry;
  const event = JSON.parse(entry.json) as SessionEvent;
  deepFreeze(event);
  return event;
}

/** The JSON of `entry`. */
export function jsonOf(entry: LogEntry): string {
  return isText(entry) ? entry.json : JSON.stringify(entry);
}

/** Heap bytes of an entry without its texts: the object, its timestamp, its number, its places in the log's lists. */
const EVENT_BYTES = 160;
const TEXT_ENTRY_BYTES = 112;
/** A longer name of an agent, a run or a task is hardly a constant of the program: it counts for each entry. */
const SHORT_NAME = 32;

/** About how many bytes of heap `entry` takes in a log, and what it counts towards the limits in bytes. */
export function entryBytes(entry: LogEntry): number {
  if (isText(entry)) return TEXT_ENTRY_BYTES + utf8Length(entry.json) + namesBytes(entry);
  if (entry.t === "gap") return EVENT_BYTES;
  const text = entry.msg === undefined || entry.msg === "" ? 0 : utf8Length(entry.msg);
  return EVENT_BYTES + text + namesBytes(entry as Names);
}

function namesBytes({ agent, run, task }: Names): number {
  return nameBytes(agent) + nameBytes(run) + nameBytes(task);
}

interface Names {
  readonly agent?: string | undefined;
  readonly run?: string | undefined;
  readonly task?: string | undefined;
}

function nameBytes(name: string | undefined): number {
  return name === undefined || name.length <= SHORT_NAME ? 0 : name.length;
}

/** What an entry counts beside its JSON, at most: an event of so many bytes less always fits a limit. */
export const ENTRY_OVERHEAD: number = EVENT_BYTES;
