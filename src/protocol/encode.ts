/** One block of an event stream. */
export interface EventStreamBlock {
  /** The follower's last event ID after this block. */
  id?: string | undefined;
  /** The event type that `addEventListener` takes; without it the client fires `message`. */
  event?: string | undefined;
  /** The payload; every line of it becomes a `data:` line. A block without it dispatches nothing. */
  data?: string | undefined;
  /** Reconnection time in milliseconds. */
  retry?: number | undefined;
}

const LINE_BREAK = /\r\n|\r|\n/;

const UNSAFE = /[\r\n\0]/;

/**
 * Encodes one block in the text/event-stream format.
 *
 * A line break or NUL in `id` or `event` is refused, not stripped: it would let a value forge other fields.
 * `data` may hold anything; it is split at CRLF, CR and LF alike, as the client joins it.
 *
 * @throws {TypeError} If `id` or `event` holds CR, LF or NUL, or `retry` is not a whole number from 0 up.
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
 */
export function encodeEvent(block: EventStreamBlock): string {
  const { id, event, data, retry } = block;
  let text = "";
  if (retry !== undefined) {
    if (!Number.isSafeInteger(retry) || retry < 0) {
      throw new TypeError(`Expected \`retry\` to be a whole number from 0 up, got ${String(retry)}`);
    }
    text += `retry: ${retry}\n`;
  }
  if (id !== undefined) text += `id: ${singleLine("id", id)}\n`;
  if (event !== undefined) text += `event: ${singleLine("event", event)}\n`;
  if (data !== undefined) text += lines("data: ", data);
  return `${text}\n`;
}

/** Encodes a comment, which clients ignore: it keeps idle connections from being cut. */
export function encodeComment(comment: string): string {
  return `${lines(": ", comment)}\n`;
}

function lines(prefix: string, text: string): string {
  let encoded = "";
  for (const line of text.split(LINE_BREAK)) encoded += `${prefix}${line}\n`;
  return encoded;
}

function singleLine(field: string, value: string): string {
  if (UNSAFE.test(value)) throw new TypeError(`Expected \`${field}\` to hold no CR, LF or NUL`);
  return value;
}
