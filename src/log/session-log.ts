import { NewestOfKind } from "./compaction.ts";
import type { GapEvent, SessionEvent } from "../protocol/event.ts";

/** What a cursor reads in one step: an entry, or the gap before it. */
export interface LogStep {
  /** The cursor's position after this step. */
  readonly position: number;
  readonly event: SessionEvent;
  /** About what it takes on the wire, and what it counts towards the byte limit. */
  readonly bytes: number;
}

/** How much one log may hold. */
export interface LogLimits {
  readonly maxEvents: number;
  readonly maxBytes: number;
}

/** At most what an entry's frame and fields take beside its texts. */
export const ENTRY_BYTES = 256;
const MAX_KEPT = 256;

/**
 * Positions 1, 2, 3 …, bounded. When full it compacts: the oldest entry goes, unless it is the newest of its
 * (run, agent, task, phase), which is kept behind the tail until it is superseded or the kept are too many.
 *
 * The tail is contiguous and ends at the head, so what lies after a position is found by arithmetic there,
 * and by binary search among the kept. Appending costs O(1) amortised.
 *
 * The tail is two lists and not one of entries: what a log retains, the garbage collector copies, marks and
 * faults in, which is most of what a report costs.
 */
export class SessionLog {
  /** The newest position; 0 when nothing was written yet. Survives `clear`. */
  head = 0;
  /** What the retained entries count. */
  bytes = 0;

  readonly #limits: LogLimits;
  readonly #maxKept: number;
  /** Ascending; each the newest of its kind. */
  #kept: LogStep[] = NONE;
  #keptBytes = 0;
  #tail: SessionEvent[] = [];
  /** What each of the tail counts. */
  #sizes: number[] = [];
  /** Where the tail begins inside its lists; the slots before are empty. */
  #first = 0;
  /** Made when the log first is full: most sessions never are. */
  #newest: NewestOfKind | undefined;

  constructor(limits: LogLimits) {
    this.#limits = limits;
    this.#maxKept = Math.min(MAX_KEPT, limits.maxEvents >> 1);
  }

  /** How many entries are retained. */
  get size(): number {
    return this.#kept.length + this.#tail.length - this.#first;
  }

  /** What the next entry to be compacted counts. */
  get oldestBytes(): number {
    return this.#sizes[this.#first] ?? 0;
  }

  append(event: SessionEvent, bytes: number): void {
    this.head++;
    this.#tail.push(event);
    this.#sizes.push(bytes);
    this.bytes += bytes;
    if (this.#newest !== undefined) this.#supersede(this.#newest.replace(event, this.head));
    if (this.size > this.#limits.maxEvents || this.bytes > this.#limits.maxBytes) this.#compact();
  }

  /**
   * What a cursor at `position` reads next; `undefined` when it has caught up.
   *
   * The gap rule: when the next entry is n ≠ position + 1, first a gap that says how many are missing and
   * moves the cursor to n - 1. Past the last retained entry n is head + 1.
   */
  read(position: number): LogStep | undefined {
    const start = this.#tailStart();
    const kept = position + 1 < start ? this.#kept[this.#firstKeptAfter(position)] : undefined;
    const next = kept?.position ?? Math.max(start, position + 1);
    if (next > position + 1) {
      const gap: GapEvent = { t: "gap", reason: "behind", missed: next - position - 1 };
      return { position: next - 1, event: Object.freeze(gap), bytes: ENTRY_BYTES };
    }
    if (kept !== undefined) return kept;
    const at = this.#first + next - start;
    const event = this.#tail[at];
    return event && { position: next, event, bytes: this.#sizes[at]! };
  }

  /** Lets every entry go, keeps the head: the log can go on, and whoever is behind gets a gap. */
  clear(): void {
    this.#drop(0);
  }

  /** Lets every entry go but the head. */
  shrinkToHead(): void {
    this.#drop(1);
  }

  #drop(remaining: 0 | 1): void {
    const from = remaining === 1 ? Math.max(this.#tail.length - 1, this.#first) : this.#tail.length;
    this.#kept = NONE;
    this.#keptBytes = 0;
    this.#tail = this.#tail.slice(from);
    this.#sizes = this.#sizes.slice(from);
    this.#first = 0;
    this.#newest = undefined;
    this.bytes = this.oldestBytes;
  }

  /** The position of the oldest entry of the tail; head + 1 when there is none. */
  #tailStart(): number {
    return this.head - (this.#tail.length - this.#first) + 1;
  }

  /** `position` is no longer the newest of its kind. */
  #supersede(position: number | undefined): void {
    if (position === undefined || position >= this.#tailStart()) return;
    const at = this.#firstKeptAfter(position - 1);
    if (this.#kept[at]?.position === position) this.#unkeep(at);
  }

  #compact(): void {
    const { maxEvents, maxBytes } = this.#limits;
    const newest = (this.#newest ??= this.#findNewest());
    while (this.size > maxEvents || this.bytes > maxBytes) {
      if (this.#tail.length - this.#first > 1) this.#shiftTail(newest);
      else if (this.#kept.length > 0) this.#shiftKept(newest);
      else return; // The head always stays.
      while (this.#kept.length > this.#maxKept || this.#keptBytes > maxBytes / 2) this.#shiftKept(newest);
    }
  }

  #findNewest(): NewestOfKind {
    const newest = new NewestOfKind();
    let position = this.#tailStart();
    for (const event of this.#tail) newest.replace(event, position++);
    return newest;
  }

  #shiftTail(newest: NewestOfKind): void {
    const position = this.#tailStart();
    const event = this.#tail[this.#first]!;
    const bytes = this.#sizes[this.#first]!;
    (this.#tail as unknown[])[this.#first++] = undefined;
    // Moving the rest down now and then, when it is no more than what has gone, keeps it O(1) amortised.
    if (this.#first >= 32 && this.#first * 2 >= this.#tail.length) {
      this.#tail.splice(0, this.#first);
      this.#sizes.splice(0, this.#first);
      this.#first = 0;
    }
    if (newest.of(event) !== position) {
      this.bytes -= bytes;
      return;
    }
    if (this.#kept === NONE) this.#kept = [];
    this.#kept.push({ position, event, bytes });
    this.#keptBytes += bytes;
  }

  #shiftKept(newest: NewestOfKind): void {
    newest.delete(this.#kept[0]!.event);
    this.#unkeep(0);
  }

  #unkeep(at: number): void {
    const [{ bytes } = { bytes: 0 }] = this.#kept.splice(at, 1);
    this.#keptBytes -= bytes;
    this.bytes -= bytes;
  }

  #firstKeptAfter(position: number): number {
    let low = 0;
    let high = this.#kept.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#kept[middle]!.position > position) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

const NONE: LogStep[] = [];
