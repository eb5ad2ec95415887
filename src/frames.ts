import type { GapEvent, SessionEvent } from "./event.ts";
import type { LogStep, SessionLog } from "./session-log.ts";
import { utf8Length } from "./report.ts";
import { encodeEvent } from "./sse/encode.ts";
import { encodeBytes, type StreamBytes } from "./sse/stream-bytes.ts";

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
const MAX_FULL = 16;
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
  /** Chunks that were cut for their length, oldest first. */
  #full: Chunk<StreamBytes>[] = [];
  /** The newest chunk. Not a few more of these: each small one holds on to a whole slab of Node's pool. */
  #newest: Chunk<StreamBytes> | undefined;

  constructor(epoch: string, log: SessionLog) {
    this.#epoch = epoch;
    this.#log = log;
  }

  /** What follows `position`, at most {@link MAX_WRITE_BYTES}; `undefined` when there is nothing. */
  after(position: number): Chunk<StreamBytes> | undefined {
    if (this.#newest?.from === position) return this.#newest;
    const known = this.#full.find((full) => full.from === position);
    const chunk = known ?? this.collect(position);
    if (known !== undefined || chunk === undefined) return chunk;
    this.#newest = chunk;
    if (chunk.to < this.#log.head && this.#full.push(chunk) > MAX_FULL) this.#full.shift();
    return chunk;
  }

  /** As {@link Frames.after}, for one follower alone: `admit` says which events it sees. */
  collect(
    position: number,
    admit: (event: SessionEvent) => boolean = everything,
  ): Chunk<StreamBytes> | undefined {
    let to = position;
    let text = "";
    let bytes = 0;
    let gaps = NO_GAPS;
    let ended = false;
    for (let step = this.#log.read(to); step !== undefined; step = this.#log.read(to)) {
      const { event } = step;
      const frame = this.#frame(step);
      bytes += utf8Length(frame);
      // Before `admit` is asked: it is a user's function, and must see each event once.
      if (bytes > MAX_WRITE_BYTES && to > position) break;
      to = step.position;
      if (!admit(event)) continue;
      text += frame;
      if (event.t === "gap") gaps = [...gaps, event];
      else if (event.t === "session_end") ended = true;
    }
    if (to === position) return undefined;
    return { from: position, to, payload: text === "" ? undefined : encodeBytes(text), gaps, ended };
  }

  /** Lets the shared bytes go. */
  forget(): void {
    this.#full = [];
    this.#newest = undefined;
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
