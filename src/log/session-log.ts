import type { GapEvent } from "../protocol/event.ts";
import { NewestOfKind } from "./compaction.ts";
import { entryBytes, type LogEntry } from "./entry.ts";

/** What a cursor reads in one step: an entry, or the gap before it. */
export interface LogStep {
  /** The cursor's position after this step. */
  readonly position: number;
  readonly entry: LogEntry;
}

/** How much one log may hold. */
export interface LogLimits {
  readonly maxEvents: number;
  /** Counted by {@link entryBytes}. */
  readonly maxBytes: number;
}

interface KeptEntry extends LogStep {
  readonly bytes: number;
}

const MAX_KEPT = 256;

/**
 * Positions 1, 2, 3 …, bounded; it may also begin at a later one. When full it compacts: the oldest entry goes,
 * unless it is the newest of its (run, agent, task, phase), which is kept behind the tail until it is superseded
 * or the kept are too many.
 *
 * The tail is contiguous and ends at the head, so what lies after a position is found by arithmetic there,
 * and by binary search among the kept. Appending costs O(1) amortised.
 *
 * The tail is two lists and not one of entries: what a log retains, the garbage collector copies, marks and
 * faults in, which is most of what a report costs.
 *
 * No method leaves it half changed when the stack ends inside: what can throw comes before what changes.
 */
export class SessionLog {
  /** The newest position; 0 when nothing was written yet. Survives `clear`. */
  head = 0;
  /** What the retained entries count; never more than the limit, but for a single entry that is larger. */
  bytes = 0;
  /** Whether the newest entry is the session's end. */
  ended = false;

  readonly #limits: LogLimits;
  readonly #maxKept: number;
  /** Ascending; each the newest of its kind. */
  #kept: KeptEntry[] = NONE;
  #keptBytes = 0;
  #tail: LogEntry[] = [];
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

  /** Writes `entry` at the next position, after making room for it. */
  append(entry: LogEntry, bytes: number): void {
    const { maxEvents, maxBytes } = this.#limits;
    const full = this.size >= maxEvents || this.bytes + bytes > maxBytes;
    if (full || this.#newest !== undefined) {
      this.#newest ??= this.#findNewest();
      this.#supersede(this.#newest.replace(entry, this.head + 1));
      this.#compact(0, maxEvents - 1, maxBytes - bytes);
    }
    // From here on nothing is called, so nothing can throw.
    this.head++;
    this.#tail[this.#tail.length] = entry;
    this.#sizes[this.#sizes.length] = bytes;
    this.bytes += bytes;
    this.ended = entry.t === "session_end";
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
      return { position: next - 1, entry: Object.freeze(gap) };
    }
    if (kept !== undefined) return kept;
    const entry = this.#tail[this.#first + next - start];
    return entry && { position: next, entry };
  }

  /** Whether there is nothing after `position`, now and ever. */
  isOverAt(position: number): boolean {
    return this.ended && position === this.head;
  }

  /** Lets entries go until at most `bytes` are left, as when it is full. The head stays. */
  shrinkTo(bytes: number): void {
    this.#newest ??= this.#findNewest();
    this.#compact(1, this.#limits.maxEvents, bytes);
  }

  /** Lets every entry go, keeps the head: the log can go on, and whoever is behind gets a gap. */
  clear(): void {
    this.#drop(this.#tail.length);
  }

  /** Lets every entry go but the head, in the place of which `head` may stand: a shorter form of it. */
  shrinkToHead(head?: LogEntry): void {
    this.#drop(Math.max(this.#tail.length - 1, this.#first));
    if (head === undefined || this.#tail.length === 0) return;
    this.#tail[0] = head;
    this.bytes = this.#sizes[0] = entryBytes(head);
  }

  /** Goes on after `position`, which lies beyond the head: what is between never came here, and is a gap. */
  skipTo(position: number): void {
    this.clear();
    this.head = position;
  }

  #drop(from: number): void {
    const tail = this.#tail.slice(from);
    const sizes = this.#sizes.slice(from);
    this.#kept = NONE;
    this.#keptBytes = 0;
    this.#tail = tail;
    this.#sizes = sizes;
    this.#first = 0;
    this.#newest = undefined;
    this.bytes = sizes[0] ?? 0;
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

  /** Lets the oldest go until at most `maxEvents` and `maxBytes` are left; `atLeast` so many of the tail stay. */
  #compact(atLeast: 0 | 1, maxEvents: number, maxBytes: number): void {
    const newest = this.#newest!;
    // An entry larger than the limit leaves less than nothing.
    const maxKeptBytes = Math.max(0, Math.min(maxBytes, this.#limits.maxBytes / 2));
    while (this.size > maxEvents || this.bytes > maxBytes) {
      if (this.#tail.length - this.#first > atLeast) this.#shiftTail(newest);
      else if (this.#kept.length > 0) this.#shiftKept(newest);
      else return;
      while (this.#kept.length > this.#maxKept || this.#keptBytes > maxKeptBytes) this.#shiftKept(newest);
    }
  }

  #findNewest(): NewestOfKind {
    const newest = new NewestOfKind();
    for (const { entry, position } of this.#kept) newest.replace(entry, position);
    let position = this.#tailStart();
    for (let at = this.#first; at < this.#tail.length; at++) newest.replace(this.#tail[at]!, position++);
    return newest;
  }

  #shiftTail(newest: NewestOfKind): void {
    const position = this.#tailStart();
    const entry = this.#tail[this.#first]!;
    const bytes = this.#sizes[this.#first]!;
    if (newest.of(entry) === position) {
      if (this.#kept === NONE) this.#kept = [];
      this.#kept[this.#kept.length] = { position, entry, bytes };
      this.#keptBytes += bytes;
    } else {
      this.bytes -= bytes;
    }
    (this.#tail as unknown[])[this.#first++] = undefined;
    // Moving the rest down now and then, when it is no more than what has gone, keeps it O(1) amortised.
    if (this.#first < 32 || this.#first * 2 < this.#tail.length) return;
    const tail = this.#tail.slice(this.#first);
    const sizes = this.#sizes.slice(this.#first);
    this.#tail = tail;
    this.#sizes = sizes;
    this.#first = 0;
  }

  #shiftKept(newest: NewestOfKind): void {
    const { entry, position } = this.#kept[0]!;
    if (newest.of(entry) === position) newest.delete(entry);
    this.#unkeep(0);
  }

  #unkeep(at: number): void {
    const [gone] = this.#kept.splice(at, 1);
    this.#keptBytes -= gone!.bytes;
    this.bytes -= gone!.bytes;
  }

  /** The index of the first kept entry after `position`. O(log n). */
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

const NONE: KeptEntry[] = [];
