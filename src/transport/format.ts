import type { Batch, Cursor } from "../log/cursor.ts";
import type { LogStep } from "../log/session-log.ts";

/** What connections say, in the words of a transport. `P` is what its peers take. */
export interface Format<P> {
  /** One entry as a frame, the same for every follower. */
  encode(epoch: string, step: LogStep): string;
  /** The bytes of a frame. */
  sizeOf(frame: string): number;
  /** Frames as one payload; `size` is the sum of their sizes. */
  join(frames: readonly string[], size: number): P;
  /** What of `payload` lies behind its first `count` frames, which end at byte `offset`: the same memory, no copy. */
  rest(payload: P, count: number, offset: number): P;
  /** The first words: where a follower stands. */
  ready(cursor: Cursor): P;
  /** Said after a silence of `keepAliveMs`, unless the peer has a way of its own. */
  keepAlive(cursor: Cursor): P;
  /** The last words when the bus closes. */
  closing?(): P;
}

/** A batch as what peers take. */
export interface EncodedBatch<P> extends Omit<Batch, "frames"> {
  /** `undefined` when everything in it was withheld. */
  readonly payload: P | undefined;
}

/** No batch is larger, unless a single event is. */
export const MAX_BATCH_BYTES = 65_536;

/** `batch` in the words of `format`. */
export function encoded<P>(format: Format<P>, batch: Batch): EncodedBatch<P> {
  const { from, to, frames, positions, ends, gaps } = batch;
  // Field by field: rest and spread make an object of another shape each time, and cost more than encoding.
  const size = ends.at(-1);
  const payload = size === undefined ? undefined : format.join(frames, size);
  return { from, to, positions, ends, gaps, payload };
}
