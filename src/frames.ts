import type { GapEvent, SessionEvent } from "./event.ts";
import type { LogStep, SessionLog } from "./session-log.ts";
import { utf8Length } from "./report.ts";
import { StreamBytes } from "./sse/stream-bytes.ts";

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
/** Who reads far behind the head reads to a multiple of this. */
const STRIDE = 128;
// Enough for the default history: when a thousand followers reconnect at once, it is encoded once.
const MAX_PAST = 16;
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
  /** Chunks of the log's past that begin at a multiple of `STRIDE`, oldest first. */
  #past: Chunk<StreamBytes>[] = [];
  /** The newest chunk. Not a few more of these: each small one holds on to a whole slab of Node's pool. */
  #newest: Chunk<StreamBytes> | undefined;

  constructor(epoch: string, log: SessionLog) {
    this.#epoch = epoch;
    this.#log = log;
  }

  /** What follows `position`, at most {@link MAX_WRITE_BYTES}; `undefined` when there is nothing. */
  after(position: number): Chunk<StreamBytes> | undefined {
    const { head } = this.#log;
    if (position === head) return undefined;
    if (this.#newest?.from === position) return this.#newest;
    const isPast = head - position > STRIDE;
    const shared = isPast && position % STRIDE === 0;
    const known = shared ? this.#past.find((past) => past.from === position) : undefined;
    if (known !== undefined) return known;
    // Followers that come back from anywhere meet at the next multiple and share all that follows.
    const until = isPast ? position + STRIDE - (position % STRIDE) : head;
    const chunk = this.#collect(position, until, (step) => this.#frame(step));
    if (!shared) this.#newest = chunk;
    else if (chunk !== undefined && this.#past.push(chunk) > MAX_PAST) this.#past.shift();
    return chunk;
  }

  /** As {@link Frames.after}, for one follower alone: `admit` says which events it sees. */
  withheld(position: number, admit: (event: SessionEvent) => boolean): Chunk<StreamBytes> | undefined {
    return this.#collect(position, this.#log.head, (step) => {
      // Kept, because nothing larger is shared between filtered followers.
      step.json ??= JSON.stringify(step.event);
      return admit(step.event) ? this.#frame(step) : "";
    });
  }

  /** Lets the shared bytes go. */
  forget(): void {
    this.#past = [];
    this.#newest = undefined;
  }

  #collect(
    position: number,
    until: number,
    frameOf: (step: LogStep) => string,
  ): Chunk<StreamBytes> | undefined {
    let to = position;
    let text = "";
    let room = MAX_WRITE_BYTES;
    let gaps = NO_GAPS;
    let ended = false;
    for (let step = this.#log.read(to); step !== undefined && to < until; step = this.#log.read(to)) {
      // An event is admitted once, so it is asked for last, and what would not fit must be known before.
      if (room < step.bytes && to > position) {
        room = MAX_WRITE_BYTES - utf8Length(text);
        if (room < step.bytes) break;
      }
      to = step.position;
      const frame = frameOf(step);
      if (frame === "") continue;
      text += frame;
      room -= step.bytes;
      if (step.event.t === "gap") gaps = [...gaps, step.event];
      else if (step.event.t === "session_end") ended = true;
    }
    if (to === position) return undefined;
    return { from: position, to, payload: text === "" ? undefined : new StreamBytes(text), gaps, ended };
  }

  /** As the encoder would, without its checks: id and name are ours, and JSON has no line breaks. */
  #frame({ position, event, json }: LogStep): string {
    return `id: ${this.#epoch}-${position}\nevent: ${EVENT_NAMES[event.t]}\ndata: ${json ?? JSON.stringify(event)}\n\n`;
  }
}
