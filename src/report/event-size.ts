import type { AgentEvent, GapEvent, SessionEvent } from "../protocol/event.ts";

/** Bytes of `text` in UTF-8. Node's own way needs no TextEncoder, which Jest's jsdom does not have. */
export const utf8Length: (text: string) => number =
  (globalThis as { Buffer?: { byteLength(this: void, text: string): number } }).Buffer?.byteLength ??
  ((text) => new TextEncoder().encode(text).length);

/** JSON needs at most this many bytes for one byte of text: `\u0000`. */
const MAX_ESCAPE = 6;
/** What an event takes as JSON beside its texts, names and `data`, at most; a foreign `ts` may be 64 control characters. */
const FIELD_BYTES = 768;
/** A message is not cut shorter than this, in bytes of JSON, to keep `data`. */
const MIN_MESSAGE = 256;

/** A character is at most so many bytes. */
const MAX_CHARACTER = 3;

/** Whether `event` with its `data` certainly has at most `maxBytes` of JSON, told from its lengths alone. */
export function surelyFits(event: SessionEvent, dataJson: string | undefined, maxBytes: number): boolean {
  const { agent, msg, run, task } = event as Partial<AgentEvent>;
  const length = lengthOf(agent) + lengthOf(msg) + lengthOf(run) + lengthOf(task);
  return FIELD_BYTES + length * MAX_ESCAPE + lengthOf(dataJson) * MAX_CHARACTER <= maxBytes;
}

function lengthOf(text: string | undefined): number {
  return text === undefined ? 0 : text.length;
}

/** An event within its bound, and what had to be done for that. */
export interface Fitted<E> {
  readonly event: E;
  readonly dataJson: string | undefined;
  readonly faults: readonly TypeError[];
}

/**
 * `event`, which is without its `data`, cut to `maxBytes` of JSON, at least 512: `data` goes when it would leave no room for the message, then the
 * message is shortened, at last the name of the agent. It then says `cut: true`.
 */
export function fitEvent<E extends SessionEvent>(
  event: E,
  dataJson: string | undefined,
  maxBytes: number,
): Fitted<E> {
  const { msg = "", ...rest } = event as Exclude<SessionEvent, GapEvent>;
  const dataBytes = dataJson === undefined ? 0 : utf8Length(dataJson);
  const fields: { agent?: string } = { ...rest, cut: true } as object;
  const { agent = "" } = fields;
  const others = '"msg":"","data":,'.length + jsonBytes(fields) - jsonBytes(agent);
  if (others + jsonBytes(agent) + jsonBytes(msg) + dataBytes <= maxBytes)
    return { event, dataJson, faults: [] };
  const faults: TypeError[] = [];
  let room = maxBytes - others;
  const cutAgent = cutToBytes(agent, Math.min(room, MIN_MESSAGE));
  room -= jsonBytes(cutAgent);
  const keepsData = dataBytes > 0 && dataBytes <= room - Math.min(jsonBytes(msg), MIN_MESSAGE);
  if (keepsData) room -= dataBytes;
  else if (dataBytes > 0) faults.push(tooLong("data", "leave room in", maxBytes, `${dataBytes} bytes`));
  const cutMessage = cutToBytes(msg, room);
  if (cutMessage !== msg) faults.push(tooLong("message", "fit", maxBytes, `${msg.length} characters`));
  return {
    event: shortened(event, cutAgent, cutMessage) as E,
    dataJson: keepsData ? dataJson : undefined,
    faults,
  };
}

/** Whether `event` can be cut to `maxBytes`: names of runs and tasks are never cut. */
export function canFit(event: SessionEvent, maxBytes: number): boolean {
  const { msg: _, ...fields } = event as AgentEvent;
  const shortest = { ...fields, ...("agent" in event && { agent: "…" }), cut: true };
  return '"msg":"…","data":,'.length + 2 + jsonBytes(shortest) <= maxBytes;
}

/** The fields of `event` in their order, with what was cut. */
function shortened(event: SessionEvent, agent: string, msg: string): SessionEvent {
  const texts = { ...("agent" in event && { agent }), ...("msg" in event && { msg }) };
  return Object.freeze({ ...event, ...texts, cut: true });
}

function tooLong(name: string, verb: string, maxBytes: number, got: string): TypeError {
  return new TypeError(`Expected \`${name}\` to ${verb} an event of ${maxBytes} bytes, got ${got}`);
}

function jsonBytes(value: unknown): number {
  return utf8Length(JSON.stringify(value));
}

/** `text` cut so that its JSON has at most `room` bytes; never between the halves of a surrogate pair. */
function cutToBytes(text: string, room: number): string {
  let cut = text;
  for (let bytes = jsonBytes(cut); bytes > room && cut !== ""; bytes = jsonBytes(cut)) {
    const length = Math.floor((cut.length * Math.max(room - 8, 0)) / bytes);
    const last = text.charCodeAt(length - 1);
    const isHalf = last >= 0xd800 && last <= 0xdbff;
    cut = length === 0 ? "" : `${text.slice(0, isHalf ? length - 1 : length)}…`;
  }
  return cut;
}
