import { NewestOfKind } from "./compaction.ts";
import type { GapEvent, SessionEvent } from "./event.ts";

/** What a cursor reads in one step: an entry, or the gap before it. */
export interface LogStep {
  /** The cursor's position after this step. */
  readonly position: number;
  readonly event: SessionEvent;
  /** About what it takes on the wire, and what it counts towards the byte limit. */
  readonly bytes: number;
  /** The event's JSON, where followers that share nothing larger share this. */
  json: string | undefined;
}

/** One entry of a log. Positions are 1, 2, 3 … without holes when written. */
export interface LogEntry extends LogStep {
  /** A newer entry has the same compaction key. */
  superseded: boolean;
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
 */
export class SessionLog {
  /** The newest position; 0 when nothing was written yet. Survives `clear`. */
  head = 0;
  /** What the retained entries count. */
  bytes = 0;

  readonly #limits: LogLimits;
  readonly #maxKept: number;
  /** Ascending; none superseded. */
  #kept: LogEntry[] = NONE;
  #keptBytes = 0;
  #tail: LogEntry[] = [];
  /** Where the tail begins inside its array; the slots before are empty. */
  #first = 0;
  /** Made when the log first is full: most sessions never are. */
  #newest: NewestOfKind<LogEntry> | undefined;

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
    return this.#tail[this.#first]?.bytes ?? 0;
  }

  append(event: SessionEvent, bytes: number): LogEntry {
    const entry: LogEntry = { position: ++this.head, event, bytes, superseded: false, json: undefined };
    this.#tail.push(entry);
    if (this.#newest !== undefined) this.#supersede(this.#newest, entry);
    this.bytes += bytes;
    this.#compact();
    return entry;
  }

  /**
   * What a cursor at `position` reads next; `undefined` when it has caught up.
   *
   * The gap rule: when the next entry is n ≠ position + 1, first a gap that says how many are missing and
   * moves the cursor to n - 1. Past the last retained entry n is head + 1.
   */
  read(position: number): LogStep | undefined {
    const entry = this.#firstAfter(position);
    const next = entry?.position ?? this.head + 1;
    if (next <= position + 1) return entry;
    const gap: GapEvent = { t: "gap", reason: "behind", missed: next - position - 1 };
    return { position: next - 1, event: Object.freeze(gap), bytes: ENTRY_BYTES, json: undefined };
  }

  #firstAfter(position: number): LogEntry | undefined {
    const start = this.#tailStart();
    if (position + 1 >= start) return this.#tail[this.#first + position + 1 - start];
    return this.#kept[this.#firstKeptAfter(position)] ?? this.#tail[this.#first];
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
    const head = remaining === 1 ? this.#tail.at(-1) : undefined;
    this.#kept = NONE;
    this.#keptBytes = 0;
    this.#tail = head === undefined ? [] : [head];
    this.#first = 0;
    this.#newest = undefined;
    this.bytes = head?.bytes ?? 0;
  }

  /** The position of the oldest entry of the tail; head + 1 when there is none. */
  #tailStart(): number {
    return this.head - (this.#tail.length - this.#first) + 1;
  }

  #supersede(newest: NewestOfKind<LogEntry>, entry: LogEntry): void {
    const previous = newest.replace(entry);
    if (previous === undefined) return;
    previous.superseded = true;
    if (previous.position < this.#tailStart()) this.#unkeep(previous);
  }

  #compact(): void {
    const { maxEvents, maxBytes } = this.#limits;
    if (this.size <= maxEvents && this.bytes <= maxBytes) return;
    if (this.#newest === undefined) {
      this.#newest = new NewestOfKind();
      for (const entry of this.#tail) this.#supersede(this.#newest, entry);
    }
    while (this.size > maxEvents || this.bytes > maxBytes) {
      if (this.#tail.length - this.#first > 1) this.#shiftTail();
      else if (this.#kept.length > 0) this.#shiftKept();
      else return; // The head always stays.
      while (this.#kept.length > this.#maxKept || this.#keptBytes > maxBytes / 2) this.#shiftKept();
    }
  }

  #shiftTail(): void {
    const entry = this.#tail[this.#first]!;
    (this.#tail as unknown[])[this.#first++] = undefined;
    // Moving the rest down now and then, when it is no more than what has gone, keeps it O(1) amortised.
    if (this.#first >= 32 && this.#first * 2 >= this.#tail.length) {
      this.#tail.splice(0, this.#first);
      this.#first = 0;
    }
    if (entry.superseded) {
      this.bytes -= entry.bytes;
      return;
    }
    if (this.#kept === NONE) this.#kept = [];
    this.#kept.push(entry);
    this.#keptBytes += entry.bytes;
  }

  #shiftKept(): void {
    const entry = this.#kept[0]!;
    this.#newest?.delete(entry);
    this.#unkeep(entry);
  }

  #unkeep(entry: LogEntry): void {
    const at = this.#firstKeptAfter(entry.position - 1);
    if (this.#kept[at] !== entry) return;
    this.#kept.splice(at, 1);
    this.#keptBytes -= entry.bytes;
    this.bytes -= entry.bytes;
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

const NONE: LogEntry[] = [];
