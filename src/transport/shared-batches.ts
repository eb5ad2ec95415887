import type { EncodedCache, Session } from "../bus/session.ts";
import { batchAfter, type BatchOptions, type Cursor } from "../log/cursor.ts";
import type { LogEntry } from "../log/entry.ts";
import { eventOf, isText } from "../log/entry.ts";
import type { LogStep, SessionLog } from "../log/session-log.ts";
import type { SessionEvent } from "../protocol/event.ts";
import { Remembered } from "./remembered.ts";
import { encoded, type EncodedBatch, type Format, MAX_BATCH_BYTES } from "./format.ts";

/** Whether a follower sees an event. */
export type Admit = (event: SessionEvent) => boolean;

/** The log's past is encoded in segments of at most so many positions, for all who come back from anywhere in it. */
const MAX_SEGMENT = 128;
/** Enough for the whole past of most logs: those who read it do so at their own pace. */
const MAX_PAST_BYTES = 8 << 20;
/** Enough for what a turn brings; those who read the past with filters read and encode it for themselves. */
const MAX_FILTERED_BYTES = 1 << 20;
/** How much more an object may take than its JSON, about. */
const OBJECT_PER_JSON = 10;
/** Enough for the 1 MiB that one turn may bring a follower. */
const MAX_BATCHES = 32;

/**
 * What a transport has encoded of one session, when the first follower needed it, for all of them.
 *
 * A batch never becomes wrong: that after position p came these entries stays true when the log has grown or
 * compacted since. What is new goes with the next turn; the past stays for whoever is still reading it, and goes with
 * the last follower, with a sweep or under pressure.
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
  /** Others of this turn, by the position before them, oldest first. */
  #batches: Map<number, EncodedBatch<P>> | undefined;
  /** Likewise of the past. */
  #past: Map<number, EncodedBatch<P>> | undefined;
  #pastBytes = 0;
  /** Frames by position, for followers with filters: they share no batches. */
  #frames: Remembered<number, string> | undefined;
  /** Events read from text, for filters. */
  #events: Remembered<LogEntry, SessionEvent> | undefined;

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
    const segment = segmentOf(log);
    return log.head - position > segment
      ? this.#pastAfter(position, segment)
      : this.#batchAfter(position, log.head);
  }

  /** As {@link SharedBatches.after}, for one follower alone: `admit` says which events it sees. */
  withheld(cursor: Cursor, admit: Admit): EncodedBatch<P> | undefined {
    return this.#encode(cursor, {
      ...this.#options,
      encode: (step) => this.#frameOf(step),
      admit: ({ entry }) => admit(this.#eventOf(entry)),
    });
  }

  beginTurn(): void {
    this.#newest = undefined;
    this.#batches = this.#frames = this.#events = undefined;
    this.#add(this.#pastBytes - this.bytes);
  }

  clear(): void {
    this.#past = undefined;
    this.#pastBytes = 0;
    this.beginTurn();
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
    if (until === this.#session.log.head) this.#keep(batch);
    // Whoever comes from where there is nothing left would drive out what others share.
    else if (batch.gaps.length === 0) this.#keepPast(batch);
    return batch;
  }

  #keep(batch: EncodedBatch<P>): void {
    // The only one of most turns has no need of a Map.
    if (this.#newest !== undefined) {
      const others = (this.#batches ??= new Map<number, EncodedBatch<P>>());
      others.set(this.#newest.from, this.#newest);
      if (others.size >= MAX_BATCHES) this.#add(-takeOldest(others));
    }
    this.#newest = batch;
    // Last: when memory is short it clears all of this.
    this.#add(sizeOf(batch));
  }

  #keepPast(batch: EncodedBatch<P>): void {
    if (!this.#isShared) return;
    const past = (this.#past ??= new Map<number, EncodedBatch<P>>());
    let more = sizeOf(batch);
    past.set(batch.from, batch);
    while (this.#pastBytes + more > MAX_PAST_BYTES && past.size > 1) more -= takeOldest(past);
    this.#pastBytes += more;
    this.#add(more);
  }

  /** One follower alone reads everything once. */
  get #isShared(): boolean {
    return this.#session.followers.size > 1;
  }

  #find(from: number): EncodedBatch<P> | undefined {
    return this.#newest?.from === from ? this.#newest : (this.#batches?.get(from) ?? this.#past?.get(from));
  }

  #pastAfter(position: number, segment: number): EncodedBatch<P> | undefined {
    const { log } = this.#session;
    const offset = position % segment;
    const end = position - offset + segment;
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

  #frameOf(step: LogStep): string {
    // A gap's position is that of whatever stood there.
    if (step.entry.t === "gap") return this.#options.encode(step);
    const known = this.#frames?.get(step.position);
    if (known !== undefined) return known;
    const frame = this.#options.encode(step);
    if (this.#isShared) {
      this.#frames ??= new Remembered(MAX_FILTERED_BYTES);
      this.#add(this.#frames.set(step.position, frame, this.#options.sizeOf(frame)));
    }
    return frame;
  }

  #eventOf(entry: LogEntry): SessionEvent {
    if (!isText(entry)) return entry;
    const known = this.#events?.get(entry);
    if (known !== undefined) return known;
    const event = eventOf(entry);
    if (this.#isShared) {
      this.#events ??= new Remembered(MAX_FILTERED_BYTES);
      this.#add(this.#events.set(entry, event, entry.json.length * OBJECT_PER_JSON));
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

/** The oldest of `batches` goes; its bytes. */
function takeOldest(batches: Map<number, EncodedBatch<unknown>>): number {
  const [[from, batch]] = batches as unknown as [[number, EncodedBatch<unknown>]];
  batches.delete(from);
  return sizeOf(batch);
}

/** How many positions make a segment: a power of two, so that of average entries it is one batch. */
function segmentOf({ bytes, size }: SessionLog): number {
  let segment = MAX_SEGMENT;
  while (segment > 1 && segment * bytes > size * MAX_BATCH_BYTES) segment >>= 1;
  return segment;
}
