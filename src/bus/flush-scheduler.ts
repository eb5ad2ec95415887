import { runOutside } from "../runtime/async-context.ts";
import { afterTurn } from "../runtime/timers.ts";

/** What has something for its followers at the end of the turn, or early in it. */
export interface Flushable {
  flush(early: boolean): void;
  /** Encodes what `flush` is about to offer. */
  prepare(): void;
  /** Whether it is on the turn's list. */
  marked: boolean;
}

/** So many sessions' bytes may wait to be written at a time. */
const BATCH = 512;

/**
 * Collects what was reported in one turn of the event loop, so that it leaves as one write a follower.
 *
 * A turn begins with its first report and is over when everything reported in it was offered.
 */
export class Turn {
  /** Which turn this is; a new one begins with the first report after a flush. */
  number = 0;
  #flushing = false;
  #scheduled = false;
  #marked: Flushable[] = [];

  /** Whether reports of this turn are still being collected or offered. */
  get active(): boolean {
    return this.#scheduled || this.#flushing;
  }

  /** Has `session` flushed at the end of this turn. */
  mark(session: Flushable): void {
    if (!session.marked) {
      session.marked = true;
      this.#marked.push(session);
    }
    if (this.#scheduled) return;
    if (!this.#flushing) this.number++;
    this.#scheduled = true;
    afterTurn(this.#end);
  }

  /** Offers everything now. The turn goes on: whoever kept up when it began still counts as keeping up. */
  flush(): void {
    runOutside(this.#offer, true);
  }

  readonly #end = (): void => {
    this.#scheduled = false;
    this.#offer(false);
  };

  readonly #offer = (early: boolean): void => {
    const marked = this.#marked;
    this.#marked = [];
    for (const session of marked) session.marked = false;
    this.#flushing = true;
    // First encode, then write: writes in close succession wake the other side up once, not each time, and
    // that is most of what a write costs.
    for (let from = 0; from < marked.length; from += BATCH) {
      const batch = marked.slice(from, from + BATCH);
      for (const session of batch) session.prepare();
      for (const session of batch) session.flush(early);
    }
    this.#flushing = false;
  };
}
