import { entryId, parseEntryId } from "../protocol/entry-id.ts";
import { type GapEvent, RESET, type SessionEntry } from "../protocol/event.ts";
import { eventOf } from "./entry.ts";
import type { LogStep, SessionLog } from "./session-log.ts";

/** One incarnation of a session, as far as reading it goes. */
export interface Readable {
  readonly epoch: string;
  readonly log: SessionLog;
}

/** What became of the position that a follower asked for. */
export type Resume = "fresh" | "resumed" | "reset";

/** Where a follower starts: an id it has seen, the start of the log, or what comes next. */
export type After = "start" | "now" | (string & {});

/** A position to start from, and how it came about. */
export interface Start {
  readonly position: number;
  readonly resume: Resume;
}

const FRESH: Start = Object.freeze({ position: 0, resume: "fresh" });

/** As much of a log as makes one write, in the format of a transport. */
export interface Batch {
  /** The position before it. */
  readonly from: number;
  /** The position after it. */
  readonly to: number;
  /** The encoded entries; those that were withheld are missing. */
  readonly frames: readonly string[];
  /** For each frame the position after it, where a follower may stand. */
  readonly positions: readonly number[];
  /** For each frame the size of all up to its end: the offset behind that position. */
  readonly ends: readonly number[];
  /** The gaps inside, to be counted for each follower that is told. */
  readonly gaps: readonly GapEvent[];
}

/** How a batch is put together. */
export interface BatchOptions {
  /** The entry of `step` in the format of a transport. */
  readonly encode: (step: LogStep) => string;
  /** What `frame` counts towards `maxSize`. */
  readonly sizeOf: (frame: string) => number;
  /** No batch is larger, unless a single entry is. */
  readonly maxSize: number;
  /** Ends the batch at this position at the latest. */
  readonly until?: number | undefined;
  /** Withholds entries, which then count as read. Asked once an entry. */
  readonly admit?: ((step: LogStep) => boolean) | undefined;
}

const NO_GAPS: readonly GapEvent[] = [];

/**
 * A position in a session, and the one way of reading on from it.
 *
 * Replay and live delivery are the same loop: read what lies after the position, hand it on, wait. A hole between
 * the position and the next entry is read as a gap; a position that means nothing here is read as a `reset` gap
 * first.
 */
export class Cursor {
  readonly session: Readable;
  position: number;
  readonly resume: Resume;
  #reset: boolean;

  constructor(session: Readable, { position, resume }: Start) {
    this.session = session;
    this.position = position;
    this.resume = resume;
    this.#reset = resume === "reset";
  }

  /** Whether everything was read, now and ever. */
  get atEnd(): boolean {
    return !this.#reset && this.session.log.isOverAt(this.position);
  }

  /** Whether everything was read that there is now. */
  get atHead(): boolean {
    return !this.#reset && this.position === this.session.log.head;
  }

  /** The id of what was read last. */
  get id(): string {
    return entryId(this.session.epoch, this.position);
  }

  /** The next entry or gap; `undefined` when there is nothing. */
  next(): LogStep | undefined {
    if (this.#reset) {
      this.#reset = false;
      return { position: this.position, entry: RESET };
    }
    const step = this.session.log.read(this.position);
    if (step !== undefined) this.position = step.position;
    return step;
  }

  /** What lies after the position; reads nothing. `undefined` when there is nothing. */
  batch(options: BatchOptions): Batch | undefined {
    return this.#reset
      ? resetBatch(this.position, options)
      : batchAfter(this.session.log, this.position, options);
  }

  /** Whether `batch` is still what comes next: encoding it may have had this very cursor read on. */
  isBefore({ from, to }: Pick<Batch, "from" | "to">): boolean {
    return from === this.position && (from === to) === this.#reset;
  }

  /** Counts `batch`, which lies after the position, as read. */
  advance({ to }: Pick<Batch, "to">): void {
    this.#reset = false;
    this.position = to;
  }

  /** Whether the `reset` gap is still to be read: what comes next is for this cursor alone. */
  get isReset(): boolean {
    return this.#reset;
  }
}

/** An entry of `session` as listeners and iterators get it. */
export function sessionEntry(session: Readable, { position, entry }: LogStep): SessionEntry {
  return Object.freeze({ id: entryId(session.epoch, position), event: eventOf(entry) });
}

/** As much of `log` after `position` as makes one batch. */
export function batchAfter(log: SessionLog, position: number, options: BatchOptions): Batch | undefined {
  const { encode, sizeOf, maxSize, until = Infinity, admit } = options;
  const frames: string[] = [];
  const positions: number[] = [];
  const ends: number[] = [];
  let gaps = NO_GAPS;
  let to = position;
  let size = 0;
  for (let step = log.read(to); step !== undefined && to < until; step = log.read(to)) {
    const frame = encode(step);
    const end = size + sizeOf(frame);
    // Told from the frame before it is asked for: an entry is admitted once.
    if (end > maxSize && to > position) break;
    to = step.position;
    if (admit?.(step) === false) continue;
    size = end;
    frames.push(frame);
    positions.push(to);
    ends.push(end);
    if (step.entry.t === "gap") gaps = [...gaps, step.entry];
  }
  return to === position ? undefined : { from: position, to, frames, positions, ends, gaps };
}

function resetBatch(position: number, { encode, sizeOf }: BatchOptions): Batch {
  const frame = encode({ position, entry: RESET });
  return {
    from: position,
    to: position,
    frames: [frame],
    positions: [position],
    ends: [sizeOf(frame)],
    gaps: [RESET],
  };
}

/** Where in `session`, if it is known, a follower goes on that has seen everything up to `lastEventId`. */
export function resumeAt(session: Readable | undefined, lastEventId: string): Start {
  if (lastEventId === "") return FRESH;
  const parsed = parseEntryId(lastEventId);
  // n = 0 means that nothing was seen yet, in whichever incarnation.
  if (parsed?.position === 0) return FRESH;
  if (session !== undefined && parsed?.epoch === session.epoch && parsed.position <= session.log.head) {
    return { position: parsed.position, resume: "resumed" };
  }
  return { position: 0, resume: "reset" };
}

/** As {@link resumeAt}, with the words that code may use. */
export function startAt(session: Readable, after: After): Start {
  if (after === "start") return FRESH;
  if (after !== "now") return resumeAt(session, after);
  const { log } = session;
  // On an ended session "now" is the end itself: a listener that waits for it must not wait for ever.
  return { position: log.head - (log.ended ? 1 : 0), resume: "resumed" };
}
