import { runOutside } from "../runtime/async-context.ts";
import { afterTurn } from "../runtime/timers.ts";
import type { Session } from "./session.ts";

/** What is done with a queued session: nothing here throws. */
export interface Flusher {
  /** Encodes what `flush` is about to offer. */
  prepare(session: Session): void;
  flush(session: Session, early: boolean): void;
}

/** So many sessions' bytes may wait to be written at a time. */
const BATCH = 512;

/**
 * Collects the sessions that were reported to in one turn of the event loop, so that a turn leaves as one write a
 * follower.
 *
 * A turn begins with its first report and is over when everything reported in it was offered.
 */
export class FlushScheduler {
  /** Which turn this is; a new one begins with the first report after a flush. */
  turn = 0;
  readonly #flusher: Flusher;
  #flushing = false;
  #scheduled = false;
  #queue: Session[] = [];

  constructor(flusher: Flusher) {
    this.#flusher = flusher;
  }

  /** Whether reports of this turn are still being collected or offered. */
  get active(): boolean {
    return this.#scheduled || this.#flushing;
  }

  /** Has `session` flushed at the end of this turn. Throws at the stack's end, before anything has changed. */
  schedule(session: Session): void {
    if (!this.#scheduled) {
      afterTurn(this.#endTurn);
      this.#scheduled = true;
      if (!this.#flushing) this.turn++;
    }
    if (session.queued) return;
    session.queued = true;
    this.#queue[this.#queue.length] = session;
  }

  /** Offers everything now. The turn goes on: who kept up when it began still counts as keeping up. */
  flush(): void {
    runOutside(this.#offer, true);
  }

  readonly #endTurn = (): void => {
    this.#scheduled = false;
    this.#offer(false);
  };

  readonly #offer = (early: boolean): void => {
    const queue = this.#queue;
    this.#queue = [];
    for (const session of queue) session.queued = false;
    const outer = this.#flushing;
    this.#flushing = true;
    try {
      // First encode, then write: writes in close succession wake the other side up once, not each time, and
      // that is most of what a write costs.
      for (let from = 0; from < queue.length; from += BATCH) {
        const batch = queue.slice(from, from + BATCH);
        for (const session of batch) this.#flusher.prepare(session);
        for (const session of batch) this.#flusher.flush(session, early);
      }
    } finally {
      this.#flushing = outer;
    }
  };
}
