import type { EventData, Outcome } from "../protocol/event.ts";
import { checkSessionId, createSessionId, randomId } from "../protocol/session-id.ts";
import { makeReporter, type Reporter, SinkTarget } from "../report/reporter.ts";
import { runOutside } from "../runtime/async-context.ts";
import { warnOnce } from "../runtime/diagnostics.ts";
import {
  checkOptionNames,
  messageOf,
  mismatch,
  notAFunction,
  SessionProgressError,
} from "../runtime/errors.ts";
import type { Hub } from "./hub.ts";
import { type ActiveRun, added, removed, type Session } from "./session.ts";
import { sessionSink } from "./session-sink.ts";
import { checkUnfollowedMs, UnfollowedWatch } from "./unfollowed.ts";

// Node makes this global when it is first asked for, and cannot where globals are frozen.
const { AbortController } = globalThis;

/** Options of `bus.start`. */
export interface StartOptions<T> {
  /**
   * Which session it runs in. An ended session begins anew, an open one is joined.
   *
   * @defaultValue a new one
   */
  sessionId?: string | undefined;
  /** Who the session belongs to, as JSON: `authorize` and hooks get it. Changing it has followers asked again. */
  owner?: unknown;
  /**
   * Closes the run with `run_end` instead of ending the session: for a chat of many runs.
   *
   * @defaultValue `false`
   */
  keepOpen?: boolean | undefined;
  /**
   * Makes what `fn` returned into the `data` of the end. May be async; runs under the run's own reporter. What it
   * throws is told to the `error` hook, and the end goes out without data.
   */
  result?: ((value: T) => EventData | PromiseLike<EventData>) | undefined;
  /**
   * Cancels the run when no connection has followed its session for so many milliseconds: counted from `start`, then
   * from the last one's leaving, to a quarter accurate. Who comes back in time keeps the run. Connections are event
   * streams and WebSockets; iterators and listeners do not count.
   *
   * With a backplane it is a `TypeError`: what follows through other processes is not counted.
   * @defaultValue never
   */
  unfollowedMs?: number | undefined;
}

/** What the function of a run is given. */
export interface RunContext {
  /** The session it runs in. */
  readonly sessionId: string;
  /** Aborts when the session is ended from elsewhere, nobody has followed it for `unfollowedMs`, or the bus closes. */
  readonly signal: AbortSignal;
  /** The reporter that is ambient inside. */
  readonly reporter: Reporter;
}

/** A run that has begun. */
export interface StartedRun {
  /** The session it runs in. */
  readonly sessionId: string;
  /** With `keepOpen`: what the run's events carry as `run`. */
  readonly run?: string | undefined;
  /** How it ended; `error` is what `fn` threw. `cancelled` when its session ended under it. Never rejects. */
  readonly done: Promise<Outcome>;
  /** Resolves when every process sees the session and its owner: at once in memory. Never rejects. */
  readonly opened: Promise<void>;
}

const NAMES: Readonly<Record<keyof StartOptions<unknown>, 1>> = {
  sessionId: 1,
  owner: 1,
  keepOpen: 1,
  result: 1,
  unfollowedMs: 1,
};

/** Begins a run: calls `fn` now, under its reporter. */
export function startRun<T>(
  hub: Hub,
  fn: (context: RunContext) => T | PromiseLike<T>,
  options: StartOptions<T> = {},
): StartedRun {
  checkOptionNames("start", options, NAMES);
  const { sessionId = createSessionId(), owner, keepOpen = false, result, unfollowedMs } = options;
  if (typeof fn !== "function") throw notAFunction("fn", fn);
  if (result !== undefined && typeof result !== "function") throw notAFunction("result", result);
  if (unfollowedMs !== undefined) checkUnfollowedMs(hub, unfollowedMs);
  checkSessionId(sessionId);
  const ownerJson = ownerToJson(owner);
  if (hub.closing) throw new SessionProgressError("closed", "The event bus is closed; no run can start.");
  const session = hub.open(sessionId, { owner: ownerJson, anew: true });
  const run = new Run(hub, session, keepOpen ? randomId(6) : undefined, unfollowedMs);
  void run.call(fn, result);
  return { sessionId, run: run.id, done: run.done, opened: hub.replica.whenOpened(session) };
}

/** `owner` as JSON; `undefined` when there is none. */
export function ownerToJson(owner: unknown): string | undefined {
  if (owner === undefined) return undefined;
  let json: string | undefined;
  try {
    json = JSON.stringify(owner);
  } catch (cause) {
    throw new TypeError("Expected `owner` to be JSON", { cause });
  }
  if (typeof json !== "string") throw mismatch("owner", "JSON", owner);
  return json;
}

class Run implements ActiveRun {
  readonly id: string | undefined;
  readonly done: Promise<Outcome>;
  readonly #hub: Hub;
  readonly #session: Session;
  readonly #controller = new AbortController();
  readonly #reporter: Reporter;
  readonly #watch: UnfollowedWatch | undefined;
  #resolve!: (outcome: Outcome) => void;
  #over = false;
  /** Whether its function has returned or thrown. */
  #settled = false;

  constructor(hub: Hub, session: Session, id: string | undefined, unfollowedMs: number | undefined) {
    this.id = id;
    this.#hub = hub;
    this.#session = session;
    this.done = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    const target = new SinkTarget([sessionSink(hub, session)], {
      end: (outcome) => {
        this.#end(outcome);
        return Promise.resolve();
      },
      refused: () => {
        hub.drops.add(session, "ended", this.#settled && !this.#controller.signal.aborted);
      },
    });
    this.#reporter = makeReporter(target, { run: id });
    hub.registry.keep(session);
    session.runs = added(session.runs, this);
    if (unfollowedMs !== undefined) {
      this.#watch = new UnfollowedWatch(hub, session, unfollowedMs, () => {
        this.#cancel();
      });
    }
  }

  async call<T>(
    fn: (context: RunContext) => T | PromiseLike<T>,
    result: StartOptions<T>["result"],
  ): Promise<void> {
    const { id: sessionId } = this.#session;
    const context: RunContext = { sessionId, signal: this.#controller.signal, reporter: this.#reporter };
    try {
      const value = await this.#reporter.run(() => fn(context));
      this.#settled = true;
      if (this.#over) return;
      const data = result && (await this.#resultOf(value, result));
      void this.#reporter.end({ status: "completed", data });
    } catch (error) {
      this.#settled = true;
      if (!this.#over) void this.#reporter.end({ status: "failed", error });
      // After an abort the function is expected to throw; anything else after its end must not get lost.
      else if (!this.#controller.signal.aborted) this.#hub.faults.tell(error, sessionId);
    }
  }

  finish(outcome: Outcome): boolean {
    if (this.#over) return false;
    this.#over = true;
    this.#watch?.stop();
    removed(this.#session.runs, this);
    this.#resolve(outcome);
    runOutside(() => {
      this.#tell(outcome);
    });
    return true;
  }

  abort(why = "The session was ended from elsewhere."): void {
    runOutside(() => {
      this.#controller.abort(new SessionProgressError("ended", why));
    });
  }

  /** Ends as its function's return would, and tells that function. */
  #cancel(): void {
    void this.#reporter.end({ status: "cancelled" });
    this.abort("Nobody has followed it for `unfollowedMs`.");
  }

  /** As the function's return or throw would. */
  #end(outcome: Outcome): void {
    if (!this.finish(outcome)) return;
    if (this.id === undefined) this.#hub.end(this.#session, outcome);
    else this.#hub.endRun(this.#session, this.id, outcome);
    this.#hub.registry.release(this.#session);
  }

  #tell(outcome: Outcome): void {
    const { hooks } = this.#hub;
    hooks.emit("run", this.#session.id, outcome, this.#session.owner?.value ?? null, this.id);
    if (outcome.status !== "failed" || hooks.has("run") || hooks.has("end")) return;
    const message = `A run failed: ${messageOf(outcome.error)} (listen to the bus's \`run\` hook to see all)`;
    warnOnce("run", message, outcome.error);
  }

  async #resultOf<T>(
    value: T,
    result: NonNullable<StartOptions<T>["result"]>,
  ): Promise<EventData | undefined> {
    try {
      return await this.#reporter.run(() => result(value));
    } catch (thrown) {
      this.#hub.faults.tell(thrown, this.#session.id);
      return undefined;
    }
  }
}
