import type { Session } from "./session.ts";

/**
 * Sessions in order, oldest first. A session is in at most one queue; every operation is O(1).
 *
 * Not a Set: taking the first of one walks over all that were deleted before it.
 */
export class SessionQueue {
  #first: Session | undefined;
  #last: Session | undefined;
  size = 0;

  get first(): Session | undefined {
    return this.#first;
  }

  /** Puts `session` at the end, out of whichever queue it was in. */
  push(session: Session): void {
    if (this.#last === session) return;
    (session.queue as SessionQueue | undefined)?.delete(session);
    session.queue = this;
    session.previous = this.#last;
    if (this.#last === undefined) this.#first = session;
    else this.#last.next = session;
    this.#last = session;
    this.size++;
  }

  delete(session: Session): void {
    if (session.queue !== this) return;
    const { previous, next } = session;
    if (previous === undefined) this.#first = next;
    else previous.next = next;
    if (next === undefined) this.#last = previous;
    else next.previous = previous;
    session.queue = session.previous = session.next = undefined;
    this.size--;
  }
}
