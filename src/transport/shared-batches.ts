import type { EncodedCache, Session } from "../bus/session.ts";
import { batchAfter, type BatchOptions, type Cursor } from "../log/cursor.ts";
import type { LogEntry } from "../log/entry.ts";
import { eventOf, isText } from "../log/entry.ts";
import type { LogStep } from "../log/session-log.ts";
import type { SessionEvent } from "../protocol/event.ts";
import { encoded, type EncodedBatch, type Format, MAX_BATCH_BYTES } from "./format.ts";

/** Whether a follower sees an event. */
export type Admit = (event: SessionEvent) => boolean;

/** The log's past is encoded in segments of so many positions, for all who come back from anywhere in it. */
const SEGMENT = 128;
/** Enough for the 1 MiB that one turn may bring a follower, and for the past of which many come back. */
const MAX_BATCHES = 32;

/**
 * What a transport has encoded of one session, when the first follower needed it, for all of them.
 *
 * A batch never becomes wrong: that after position p came these entries stays true when the log has grown or
 * compacted since. All of it goes with the next turn, with the last follower, with a sweep or under pressure.
 */
export class SharedBatches<P> implements EncodedCache {
  bytes = 0;
  readonly #session: Session;
  readonly #options: BatchOptions;
  readonly #format: Format<P>;
  /** Told how `bytes` has changed. */
  readonly #count: (bytes: number) => void;
  #newest: EncodedBatch<P> | undefined;
  // Maps are made when they are first needed: most sessions have one follower, which needs none.
  /** Others, by the position before them, oldest first. */
  #batches: Map<number, EncodedBatch<P>> | undefined;
  /** Frames by position, for followers with filters: they share no batches. */
  #frames: Map<number, string> | undefined;
  /** Events read from text, for filters. */
  #events: Map<LogEntry, SessionEvent> | undefined;

  constructor(session: Session, format: Format<P>, count: (bytes: number) => void) {
    this.#session = session;
    this.#format = format;
    this.#count = count;
    this.#options = {
      encode: (step) => format.encode(session.epoch, step),
      sizeOf: (frame) => format.sizeOf(frame),
      maxSize: MAX_BATCH_BYTES,
    };
  }

  /** What lies after `cursor`, at most {@link MAX_BATCH_BYTES}; `undefined` when there is nothing. */
  after(cursor: Cursor): EncodedBatch<P> | undefined {
    if (cursor.isReset) return this.#encode(cursor, this.#options);
    const { log } = this.#session;
    const { position } = cursor;
    if (position === log.head) return undefined;
    const known = this.#find(position);
    if (known !== undefined) return known;
    return log.head - position > SEGMENT ? this.#pastAfter(position) : this.#batchAfter(position, log.head);
  }

  /** As {@link SharedBatches.after}, for one follower alone: `admit` says which events it sees. */
  withheld(cursor: Cursor, admit: Admit): EncodedBatch<P> | undefined {
    return this.#encode(cursor, {
      ...this.#options,
      encode: (step) => this.#frameOf(step),
      admit: ({ entry }) => admit(this.#eventOf(entry)),
    });
  }

  clear(): void {
    this.#newest = undefined;
    this.#batches = this.#frames = this.#events = undefined;
    this.#add(-this.bytes);
  }

  #encode(cursor: Cursor, options: BatchOptions): EncodedBatch<P> | undefined {
    const batch = cursor.batch(options);
    return batch && encoded(this.#format, batch);
  }

  /** What follows `from` up to `until`, encoded once. */
  #batchAfter(from: number, until: number): EncodedBatch<P> | undefined {
    const known = this.#find(from);
    if (known !== undefined) return known;
    const { encode, sizeOf: sizeOfFrame, maxSize } = this.#options;
    const options = { encode, sizeOf: sizeOfFrame, maxSize, until, admit: undefined };
    const raw = batchAfter(this.#session.log, from, options);
    if (raw === undefined) return undefined;
    const batch = encoded(this.#format, raw);
    // Whoever comes from where there is nothing left would drive out what others share.
    if (batch.gaps.length > 0 && until < this.#session.log.head) return batch;
    // The only one of most turns has no need of a Map.
    if (this.#newest !== undefined) {
      const others = (this.#batches ??= new Map<number, EncodedBatch<P>>());
      others.set(this.#newest.from, this.#newest);
      if (others.size >= MAX_BATCHES) this.#dropOldest(others);
    }
    this.#newest = batch;
    // Last: when memory is short it clears all of this.
    this.#add(sizeOf(batch));
    return batch;
  }

  #find(from: number): EncodedBatch<P> | undefined {
    return this.#newest?.from === from ? this.#newest : this.#batches?.get(from);
  }

  #pastAfter(position: number): EncodedBatch<P> | undefined {
    const { log } = this.#session;
    const offset = position % SEGMENT;
    const end = position - offset + SEGMENT;
    // Estimates with the average entry whether the segment's first batch reaches `position`. If not, encoding from
    // the segment's start does not serve this follower.
    const reaches = (offset * log.bytes) / log.size < MAX_BATCH_BYTES;
    const batch = this.#batchAfter(reaches ? position - offset : position, end);
    if (batch === undefined || batch.from === position) return batch;
    return this.#rest(batch, position) ?? this.#batchAfter(position, end);
  }

  /** The part of `batch` after `position`, in the same memory; `undefined` where there is none to share. */
  #rest(batch: EncodedBatch<P>, position: number): EncodedBatch<P> | undefined {
    if (batch.to <= position || batch.gaps.length > 0 || batch.payload === undefined) return undefined;
    const at = batch.positions.indexOf(position);
    if (at === -1) return undefined;
    const payload = this.#format.rest(batch.payload, at + 1, batch.ends[at]!);
    return { ...batch, from: position, payload };
  }

  #dropOldest(batches: Map<number, EncodedBatch<P>>): void {
    const [[from, batch]] = batches as unknown as [[number, EncodedBatch<P>]];
    batches.delete(from);
    this.#add(-sizeOf(batch));
  }

  #frameOf(step: LogStep): string {
    // A gap's position is that of whatever stood there.
    if (step.entry.t === "gap") return this.#options.encode(step);
    const frames = (this.#frames ??= new Map<number, string>());
    let frame = frames.get(step.position);
    if (frame === undefined) {
      frame = this.#options.encode(step);
      frames.set(step.position, frame);
      this.#add(frame.length);
    }
    return frame;
  }

  #eventOf(entry: LogEntry): SessionEvent {
    if (!isText(entry)) return entry;
    const events = (this.#events ??= new Map<LogEntry, SessionEvent>());
    let event = events.get(entry);
    if (event === undefined) {
      event = eventOf(entry);
      events.set(entry, event);
    }
    return event;
  }

  #add(bytes: number): void {
    this.bytes += bytes;
    this.#count(bytes);
  }
}

function sizeOf(batch: EncodedBatch<unknown>): number {
  return batch.ends.at(-1) ?? 0;
}
