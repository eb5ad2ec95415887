import type { GapEvent, SessionEvent } from "../../protocol/event.ts";
import type { LogStep, SessionLog } from "../../log/session-log.ts";
import { utf8Length } from "../../report/check-report.ts";
import { StreamBytes } from "./shared-bytes.ts";

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
/** The log's past is encoded in stretches of so many positions, for all who come back from anywhere in it. */
const STRETCH = 128;
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
  /** Chunks of the log's past by the position before them, oldest first. */
  #past: Map<number, Chunk<StreamBytes>> | undefined;
  /** The newest chunk. Not a few more of these: each small one holds on to a whole slab of Node's pool. */
  #newest: Chunk<StreamBytes> | undefined;
  /** By position, where followers that share nothing larger share this. */
  #json: Map<number, string> | undefined;

  constructor(epoch: string, log: SessionLog) {
    this.#epoch = epoch;
    this.#log = log;
  }

  /** What follows `position`, at most {@link MAX_WRITE_BYTES}; `undefined` when there is nothing. */
  after(position: number): Chunk<StreamBytes> | undefined {
    const { head } = this.#log;
    if (position === head) return undefined;
    if (this.#newest?.from === position) return this.#newest;
    if (head - position > STRETCH) return this.#pastAfter(position);
    return (this.#newest = this.#collect(position, head, this.#frame));
  }

  /** As {@link Frames.after}, for one follower alone: `admit` says which events it sees. */
  withheld(position: number, admit: (event: SessionEvent) => boolean): Chunk<StreamBytes> | undefined {
    return this.#collect(position, this.#log.head, (step) =>
      admit(step.event) ? this.#frame(step, this.json(step)) : "",
    );
  }

  /** The JSON of `step`, the same for all who ask in one turn. */
  json({ position, event }: LogStep): string {
    // A gap's position is that of whatever stood there.
    if (event.t === "gap") return JSON.stringify(event);
    this.#json ??= new Map();
    let json = this.#json.get(position);
    if (json === undefined) this.#json.set(position, (json = JSON.stringify(event)));
    return json;
  }

  /** Lets the shared bytes go. */
  forget(): void {
    this.#past = undefined;
    this.#json = undefined;
    this.#newest = undefined;
  }

  #pastAfter(position: number): Chunk<StreamBytes> | undefined {
    const offset = position % STRETCH;
    // By the average entry: where long ones cut the stretch's first chunk off before, encoding it is no help.
    const reaches = (offset * this.#log.bytes) / this.#log.size < MAX_WRITE_BYTES;
    const chunk = this.#past?.get(position) ?? this.#stretch(reaches ? position - offset : position);
    if (chunk === undefined || chunk.from === position) return chunk;
    return (chunk.to > position ? rest(chunk, position) : undefined) ?? this.#stretch(position);
  }

  /** What follows `from` up to the next multiple of `STRETCH`. */
  #stretch(from: number): Chunk<StreamBytes> | undefined {
    this.#past ??= new Map();
    const known = this.#past.get(from);
    if (known !== undefined) return known;
    const chunk = this.#collect(from, from + STRETCH - (from % STRETCH), this.#frame);
    // Whoever comes from where there is nothing left would drive out what others share.
    if (chunk === undefined || chunk.gaps.length > 0) return chunk;
    this.#past.set(from, chunk);
    if (this.#past.size > MAX_PAST) this.#past.delete(this.#past.keys().next().value!);
    return chunk;
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
  readonly #frame = ({ position, event }: LogStep, json = JSON.stringify(event)): string =>
    `id: ${this.#epoch}-${position}\nevent: ${EVENT_NAMES[event.t]}\ndata: ${json}\n\n`;
}

/** The part of `chunk` after `position`, in the same memory; `undefined` if the chunk has gaps. */
function rest(chunk: Chunk<StreamBytes>, position: number): Chunk<StreamBytes> | undefined {
  if (chunk.gaps.length > 0) return undefined;
  return { ...chunk, from: position, payload: chunk.payload?.after(position - chunk.from) };
}
