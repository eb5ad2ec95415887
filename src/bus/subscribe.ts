import { Cursor, type After, sessionEntry, startAt } from "../log/cursor.ts";
import type { LogStep } from "../log/session-log.ts";
import type { SessionEntry } from "../protocol/event.ts";
import { runOutside } from "../runtime/async-context.ts";
import { catchRejection } from "../runtime/diagnostics.ts";
import { checkOptionNames, mismatch, notAFunction } from "../runtime/errors.ts";
import type { Hub } from "./hub.ts";
import type { Appended, Listener, Session } from "./session.ts";

/** Options of `subscribe` and `follow`. */
export interface FollowOptions {
  /**
   * The id of the last entry seen (what follows it is read), `"start"` or `"now"`. One that means nothing here
   * yields a `reset` gap, then the log from its start.
   *
   * @defaultValue `"start"`
   */
  after?: After | undefined;
  /** Stops following. */
  signal?: AbortSignal | undefined;
}

type Receive = (entry: SessionEntry) => unknown;

/** Calls `receive` for each entry, synchronously inside the report; first, synchronously, for those after `after`. */
export function subscribe(
  hub: Hub,
  sessionId: string,
  receive: Receive,
  options: FollowOptions = {},
): () => void {
  if (typeof receive !== "function") throw notAFunction("listener", receive);
  const { after, signal } = checkFollowOptions("subscribe", options);
  if (signal?.aborted || hub.closing) return () => undefined;
  let listener: Subscription | undefined = undefined;
  const stop = (): void => listener?.stop();
  // Before anything is made: a signal that is not the platform's may throw.
  signal?.addEventListener("abort", stop, { once: true });
  const session = hub.join(sessionId);
  listener = new Subscription(hub, session, receive, () => signal?.removeEventListener("abort", stop));
  // Attached before the replay: listeners that it calls may let others go, and the session with the last of them.
  hub.followers.listen(session, listener);
  hub.whenFilled(session, () => {
    runOutside(start, listener, after);
  });
  return stop;
}

function start(listener: Subscription, after: After): void {
  listener.start(after);
}

class Subscription implements Listener {
  readonly #hub: Hub;
  readonly #session: Session;
  readonly #receive: Receive;
  readonly #released: () => void;
  #cursor: Cursor | undefined;
  #stopped = false;
  /** A listener that reports reads on after the current entry, not inside it. */
  #reading = false;

  constructor(hub: Hub, session: Session, receive: Receive, released: () => void) {
    this.#hub = hub;
    this.#session = session;
    this.#receive = receive;
    this.#released = released;
  }

  start(after: After): void {
    this.#cursor = new Cursor(this.#session, startAt(this.#session, after));
    this.pump();
  }

  pump(appended?: Appended): void {
    const cursor = this.#cursor;
    if (cursor === undefined || this.#reading || this.#stopped) return;
    this.#reading = true;
    try {
      if (appended !== undefined && cursor.position === appended.position - 1 && !cursor.isReset) {
        cursor.advance({ to: appended.position });
        this.#hand(appended.entry);
      } else if (appended === undefined || cursor.position < appended.position) {
        this.#catchUp(cursor, appended?.position ?? Infinity);
      }
    } finally {
      this.#reading = false;
    }
    if (cursor.atEnd) this.stop();
  }

  #catchUp(cursor: Cursor, until: number): void {
    let step: LogStep | undefined;
    while (!this.#stopped && cursor.position < until && (step = cursor.next()) !== undefined) {
      this.#hand(sessionEntry(this.#session, step));
    }
  }

  /** What a listener throws is told to the `error` hook and hurts nobody. */
  #hand(entry: SessionEntry): void {
    if (entry.event.t === "gap") this.#hub.followers.countGap(this.#session, entry.event);
    try {
      catchRejection(this.#receive(entry), this.#failed);
    } catch (thrown) {
      this.#failed(thrown);
    }
  }

  readonly #failed = (thrown: unknown): void => {
    this.#hub.faults.tell(thrown, this.#session.id);
  };

  readonly stop = (): void => {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#hub.followers.unlisten(this.#session, this);
    this.#released();
  };
}

/** @throws {TypeError} Unless `after` is a string. */
export function checkFollowOptions(
  what: string,
  options: FollowOptions,
): { after: After; signal: AbortSignal | undefined } {
  checkOptionNames(what, options, { after: 1, signal: 1 });
  const { after = "start", signal } = options;
  if (typeof after !== "string") throw mismatch("after", 'an id, "start" or "now"', after);
  if (signal !== undefined && !("aborted" in Object(signal)))
    throw mismatch("signal", "an AbortSignal", signal);
  return { after, signal };
}
