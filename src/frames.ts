import type { GapEvent, SessionEvent } from "./event.ts";
import type { LogStep, SessionLog } from "./session-log.ts";
import { utf8Length } from "./report.ts";
import { encodeEvent } from "./sse/encode.ts";

/** Some of a log, in the format of a transport. */
export interface Chunk<P> {
  /** The position before it. */
  readonly from: number;
  /** The position after it. */
  readonly to: number;
  /** `undefined` when everything in it was withheld. */
  readonly payload: P | undefined;
  /** The gaps inside, to be counted for each follower that is told. */
  readonly gaps: readonly GapEvent[];
  /** Whether it holds the session's end. */
  readonly ended: boolean;
}

/** No write is longer than this, unless a single event is. */
export const MAX_WRITE_BYTES = 65_536;
// Enough for the default history: when a thousand followers reconnect at once, it is encoded once.
const MAX_CHUNKS = 16;
const everything = (): boolean => true;
const NO_GAPS: readonly GapEvent[] = [];
const EVENT_NAMES: Record<SessionEvent["t"], string> = {
  agent_event: "agent",
  run_end: "run",
  session_end: "end",
  gap: "gap",
};

/**
 * The event stream's bytes of one log, encoded when the first follower needs them and shared by the rest.
 *
 * A chunk never becomes wrong: that after position p came these events stays true when the log has grown or
 * compacted since.
 */
export class Frames {
  readonly #epoch: string;
  readonly #log: SessionLog;
  #chunks: Chunk<Uint8Array>[] = [];

  constructor(epoch: string, log: SessionLog) {
    this.#epoch = epoch;
    this.#log = log;
  }

  /** What follows `position`, at most {@link MAX_WRITE_BYTES}; `undefined` when there is nothing. */
  after(position: number): Chunk<Uint8Array> | undefined {
    for (const chunk of this.#chunks) if (chunk.from === position) return chunk;
    const chunk = this.collect(position);
    if (chunk === undefined) return undefined;
    if (this.#chunks.length >= MAX_CHUNKS) this.#chunks.shift();
    this.#chunks.push(chunk);
    return chunk;
  }

  /** As {@link Frames.after}, for one follower alone: `admit` says which events it sees. */
  collect(
    position: number,
    admit: (event: SessionEvent) => boolean = everything,
  ): Chunk<Uint8Array> | undefined {
    let to = position;
    let text = "";
    let bytes = 0;
    let gaps = NO_GAPS;
    let ended = false;
    for (let step = this.#log.read(to); step !== undefined; step = this.#log.read(to)) {
      const { event } = step;
      if (admit(event)) {
        const frame = this.#frame(step);
        bytes += utf8Length(frame);
        if (bytes > MAX_WRITE_BYTES && text !== "") break;
        text += frame;
        if (event.t === "gap") gaps = [...gaps, event];
        else if (event.t === "session_end") ended = true;
      }
      to = step.position;
    }
    if (to === position) return undefined;
    return { from: position, to, payload: text === "" ? undefined : encodeUtf8(text), gaps, ended };
  }

  /** Lets the shared bytes go, when nobody is left to share them. */
  forget(): void {
    this.#chunks = [];
  }

  #frame(step: LogStep): string {
    step.json ??= JSON.stringify(step.event);
    return encodeEvent({
      id: `${this.#epoch}-${step.position}`,
      event: EVENT_NAMES[step.event.t],
      data: step.json,
    });
  }
}

const buffer = (globalThis as { Buffer?: { from(text: string): Uint8Array } }).Buffer;

/** `text` as UTF-8. Node's `Buffer` is twice as fast as `TextEncoder`. */
export const encodeUtf8: (text: string) => Uint8Array =
  buffer === undefined
    ? (
        (encoder) => (text: string) =>
          encoder.encode(text)
      )(new TextEncoder())
    : (text) => buffer.from(text);
