import type { BusCore } from "./hub.ts";
import { runOutside } from "../runtime/async-context.ts";
import { mismatch, notAFunction } from "../runtime/errors.ts";
import type { GapEvent, SessionEntry } from "../protocol/event.ts";
import type { Listener } from "./listeners.ts";
import type { Follower, Session } from "./session.ts";

/** Where a follower starts: an id it has seen, the start of the log, or what comes next. */
export type After = "start" | "now" | (string & {});

/** Options of `subscribe` and `follow`. */
export interface FollowOptions {
  /**
   * The id of the last entry seen (what follows it is read), `"start"` or `"now"`. One that means nothing here
   * yields a `reset` gap, then the log from its start.
   *
   * @defaultValue `"now"` for `subscribe`, `"start"` for `follow`
   */
  after?: After | undefined;
  /** Stops following. */
  signal?: AbortSignal | undefined;
}

/** What became of the position that a follower asked for. */
export type Resume = "fresh" | "resumed" | "reset";

const ENTRY_ID = /^(\d{1,20})-(\d{1,15})$/;
export const RESET: GapEvent = Object.freeze({ t: "gap", reason: "reset" });

/** Where in `session` a follower goes on that has seen everything up to `lastEventId`. */
export function resumeAt(
  session: Session | undefined,
  lastEventId: string,
): { position: number; resume: Resume } {
  if (lastEventId === "") return { position: 0, resume: "fresh" };
  const [, epoch, digits] = ENTRY_ID.exec(lastEventId) ?? [];
  const position = Number(digits);
  // n = 0 means that nothing was seen yet, in whichever incarnation.
  if (position === 0) return { position: 0, resume: "fresh" };
  if (epoch === session?.epoch && position <= (session?.log.head ?? 0))
    return { position, resume: "resumed" };
  return { position: 0, resume: "reset" };
}

/** As `resumeAt`, with the words that code may use. */
function startAt(session: Session, after: After): { position: number; resume: Resume } {
  if (after === "start") return { position: 0, resume: "fresh" };
  if (after !== "now") return resumeAt(session, after);
  // On an ended session "now" is the end itself: a listener that waits for it must not wait for ever.
  return { position: session.log.head - (session.outcome === undefined ? 0 : 1), resume: "resumed" };
}

/** Calls `receive` for each entry, synchronously inside the report; first, synchronously, for those after `after`. */
export function subscribe(
  core: BusCore,
  sessionId: string,
  receive: (entry: SessionEntry) => unknown,
  { after = "now", signal }: FollowOptions = {},
): () => void {
  if (typeof receive !== "function") throw notAFunction("listener", receive);
  checkAfter(after);
  if (signal?.aborted || core.closing) return () => undefined;
  const session = core.sessions.join(sessionId);
  const { listeners } = session;
  const { position, resume } = startAt(session, after);
  const released = (): void => signal?.removeEventListener("abort", stop);
  const listener: Listener = { among: undefined, position, active: true, receive, released };
  const stop = (): void => {
    released();
    listener.active = false;
    listener.among?.remove(listener);
    core.sessions.left(session);
  };
  signal?.addEventListener("abort", stop, { once: true });
  runOutside(() => {
    if (resume === "reset") listeners.call(listener, Object.freeze({ id: session.idAt(0), event: RESET }));
    listeners.replay(listener);
  });
  if (listener.active && !session.isOverAt(listener.position)) listeners.add(listener);
  else stop();
  return stop;
}

/**
 * Iterates over a session's entries, until its end. Each iteration has a cursor of its own.
 *
 * The start is fixed now, the cursor attached when iteration begins: what is never iterated leaves nothing.
 */
export function follow(
  core: BusCore,
  sessionId: string,
  { after = "start", signal }: FollowOptions = {},
): AsyncIterable<SessionEntry> {
  checkAfter(after);
  const known = core.sessions.find(sessionId);
  const from =
    after === "now" && known !== undefined
      ? known.idAt(startAt(known, "now").position)
      : after === "now"
        ? ""
        : after;
  return {
    [Symbol.asyncIterator]: () => new Iteration(core, sessionId, from, signal),
  };
}

type Result = IteratorResult<SessionEntry, undefined>;
const DONE: Result = Object.freeze({ done: true, value: undefined });

class Iteration implements AsyncIterator<SessionEntry, undefined>, Follower {
  session: Session;
  readonly #core: BusCore;
  readonly #signal: AbortSignal | undefined;
  #position: number;
  #reset: boolean;
  #done = false;
  readonly #waiting: ((result: Result) => void)[] = [];

  constructor(core: BusCore, sessionId: string, after: After, signal: AbortSignal | undefined) {
    this.#core = core;
    this.#signal = signal;
    this.session = core.sessions.join(sessionId);
    const { position, resume } = startAt(this.session, after);
    this.#position = position;
    this.#reset = resume === "reset";
    this.session.add(this);
    if (signal?.aborted || core.closing) this.#finish();
    else signal?.addEventListener("abort", this.#finish, { once: true });
  }

  next(): Promise<Result> {
    if (this.#done) return Promise.resolve(DONE);
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.pump();
    });
  }

  return(): Promise<Result> {
    this.#finish();
    return Promise.resolve(DONE);
  }

  pump(): void {
    while (this.#waiting.length > 0) {
      const entry = this.#read();
      if (entry !== undefined) this.#waiting.shift()?.({ done: false, value: entry });
      if (this.session.isOverAt(this.#position)) this.#finish();
      if (entry === undefined) return;
    }
  }

  /** An iterator is no connection: it only stops when the bus does. */
  disconnect(closing: boolean): void {
    if (closing) this.#finish();
  }

  #read(): SessionEntry | undefined {
    const { session } = this;
    let event: SessionEntry["event"] | undefined;
    if (this.#reset) {
      this.#reset = false;
      event = RESET;
    } else {
      const step = session.log.read(this.#position);
      if (step === undefined) return undefined;
      this.#position = step.position;
      event = step.event;
    }
    if (event.t === "gap") this.#core.told(session.id, event);
    return Object.freeze({ id: session.idAt(this.#position), event });
  }

  readonly #finish = (): void => {
    if (this.#done) return;
    this.#done = true;
    this.#signal?.removeEventListener("abort", this.#finish);
    this.session.remove(this);
    this.#core.sessions.left(this.session);
    for (const resolve of this.#waiting.splice(0)) resolve(DONE);
  };
}

function checkAfter(after: unknown): void {
  if (typeof after !== "string") throw mismatch("after", 'an id, "start" or "now"', after);
}
