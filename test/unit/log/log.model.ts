/**
 * A session's log, as simple as can be: it remembers everything ever written and scans all of it. What the real
 * log does by arithmetic and binary search must be indistinguishable from this.
 */
export interface Written {
  /** Entries with the same key supersede each other. */
  readonly key: string;
  /** What the entry says. */
  readonly says: string;
  readonly bytes: number;
}

export interface Step {
  readonly position: number;
  readonly says: string;
}

export class ModelLog {
  readonly written: Written[] = [];
  /** Retained positions that have left the tail. */
  kept: number[] = [];
  tail: number[] = [];
  readonly #maxEvents: number;
  readonly #maxBytes: number;

  constructor(maxEvents: number, maxBytes = Infinity) {
    this.#maxEvents = maxEvents;
    this.#maxBytes = maxBytes;
  }

  get head(): number {
    return this.written.length;
  }

  get retained(): number[] {
    return [...this.kept, ...this.tail];
  }

  get maxKept(): number {
    return Math.min(256, Math.floor(this.#maxEvents / 2));
  }

  bytesOf(positions: readonly number[]): number {
    return positions.reduce((sum, position) => sum + this.at(position).bytes, 0);
  }

  at(position: number): Written {
    return this.written[position - 1]!;
  }

  isNewest(position: number): boolean {
    return !this.written.slice(position).some(({ key }) => key === this.at(position).key);
  }

  /** Makes room first: an entry larger than the limit stands alone. */
  append(entry: Written): void {
    this.written.push(entry);
    this.kept = this.kept.filter((position) => this.isNewest(position));
    const room = this.#maxBytes - entry.bytes;
    const roomOfKept = Math.max(0, Math.min(room, this.#maxBytes / 2));
    while (this.retained.length >= this.#maxEvents || this.bytesOf(this.retained) > room) {
      if (this.tail.length > 0) {
        const oldest = this.tail.shift()!;
        if (this.isNewest(oldest)) this.kept.push(oldest);
      } else if (this.kept.length > 0) this.kept.shift();
      else break;
      while (this.kept.length > this.maxKept || this.bytesOf(this.kept) > roomOfKept) this.kept.shift();
    }
    this.tail.push(this.head);
  }

  shrinkToHead(): void {
    this.kept = [];
    this.tail = this.tail.slice(-1);
  }

  clear(): void {
    this.kept = [];
    this.tail = [];
  }

  /** What a cursor at `position` reads next. */
  read(position: number): Step | undefined {
    const next = this.retained.find((retained) => retained > position) ?? this.head + 1;
    if (next > position + 1) return { position: next - 1, says: `gap behind ${next - position - 1}` };
    return next > this.head ? undefined : { position: next, says: this.at(next).says };
  }

  readAll(position: number): Step[] {
    const steps: Step[] = [];
    for (let step = this.read(position); step; step = this.read(step.position)) steps.push(step);
    return steps;
  }
}
