import { type After, Cursor, sessionEntry, startAt } from "../log/cursor.ts";
import { entryBytes } from "../log/entry.ts";
import type { LogStep } from "../log/session-log.ts";
import { entryId } from "../protocol/entry-id.ts";
import type { SessionEntry } from "../protocol/event.ts";
import { reserveStack } from "../runtime/stack.ts";
import type { Hub } from "./hub.ts";
import type { Follower, Session } from "./session.ts";
import { checkFollowOptions, type FollowOptions } from "./subscribe.ts";

/**
 * Iterates over a session's entries, until its end. Each iteration has a cursor of its own.
 *
 * The start is fixed now, the cursor attached when iteration begins: what is never iterated leaves nothing.
 */
export function follow(
  hub: Hub,
  sessionId: string,
  options: FollowOptions = {},
): AsyncIterable<SessionEntry> {
  const { after, signal } = checkFollowOptions("follow", options);
  const known = hub.find(sessionId);
  const here = known === undefined ? "" : entryId(known.epoch, startAt(known, "now").position);
  const from = after === "now" ? here : after;
  return {
    [Symbol.asyncIterator]: () => new Iteration(hub, sessionId, from, signal),
  };
}

type Result = IteratorResult<SessionEntry, undefined>;
const DONE: Result = Object.freeze({ done: true, value: undefined });

/** What of one turn an iterator may hold whose consumer could keep up so far. */
const MAX_HELD_OF_TURN = 1 << 20;

class Iteration implements AsyncIterator<SessionEntry, undefined>, Follower {
  readonly #hub: Hub;
  readonly #session: Session;
  readonly #signal: AbortSignal | undefined;
  #cursor: Cursor | undefined;
  #done = false;
  readonly #waiting: ((result: Result) => void)[] = [];
  /** Read early in a long turn, in which the consumer cannot run; at most 1 MiB. */
  #held: SessionEntry[] = [];
  #heldBytes = 0;
  #turn = 0;
  #keepsUp = false;

  constructor(hub: Hub, sessionId: string, after: After, signal: AbortSignal | undefined) {
    this.#hub = hub;
    this.#signal = signal;
    // Before anything is made: a signal that is not the platform's may throw.
    const isOver = hub.closing || signal?.aborted === true;
    if (!isOver) signal?.addEventListener("abort", this.#finish, { once: true });
    const session = hub.join(sessionId);
    this.#session = session;
    hub.followers.attach(session, this);
    if (isOver) this.#finish();
    hub.whenFilled(session, () => {
      if (this.#done) return;
      this.#cursor = new Cursor(session, startAt(session, after));
      this.pump(false);
    });
  }

  next(): Promise<Result> {
    const held = this.#held.shift();
    if (held !== undefined) return Promise.resolve({ done: false, value: held });
    this.#heldBytes = 0;
    reserveStack();
    if (this.#done) return Promise.resolve(DONE);
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#answer();
    });
  }

  return(): Promise<Result> {
    reserveStack();
    this.#held = [];
    this.#finish();
    return Promise.resolve(DONE);
  }

  pump(early: boolean): void {
    const { turn } = this.#hub.followers.scheduler;
    if (this.#turn !== turn) {
      this.#turn = turn;
      // Had it read everything when the turn began? Then it is only this turn that keeps it from reading on.
      this.#keepsUp = this.#held.length === 0 && (this.#cursor?.position ?? 0) >= this.#session.offeredHead;
    }
    this.#answer();
    if (early && this.#keepsUp) this.#hold();
  }

  /** An iterator is no connection: it only stops when the bus does. */
  disconnect(closing: boolean): void {
    if (closing) this.#finish();
  }

  #answer(): void {
    while (this.#waiting.length > 0) {
      const step = this.#cursor?.next();
      if (step !== undefined) this.#waiting.shift()?.({ done: false, value: this.#entryOf(step) });
      if (this.#cursor?.atEnd) this.#finish();
      if (step === undefined) return;
    }
  }

  #hold(): void {
    while (this.#heldBytes < MAX_HELD_OF_TURN) {
      const step = this.#cursor?.next();
      if (step === undefined) break;
      this.#held.push(this.#entryOf(step));
      this.#heldBytes += entryBytes(step.entry);
    }
    if (this.#cursor?.atEnd) this.#finish();
  }

  #entryOf(step: LogStep): SessionEntry {
    if (step.entry.t === "gap") this.#hub.followers.countGap(this.#session, step.entry);
    return sessionEntry(this.#session, step);
  }

  readonly #finish = (): void => {
    if (this.#done) return;
    this.#done = true;
    this.#hub.followers.detach(this.#session, this);
    for (const resolve of this.#waiting.splice(0)) resolve(DONE);
    this.#signal?.removeEventListener("abort", this.#finish);
  };
}
