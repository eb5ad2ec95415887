import type { BusCore } from "./hub.ts";
import { warnOnce } from "../runtime/diagnostics.ts";
import { SessionProgressError, messageOf, mismatch, notAFunction } from "../runtime/errors.ts";
import type { EventData, Outcome } from "../protocol/event.ts";
import { jsonCopy, toJson } from "../report/check-report.ts";
import { makeReporter, type Reporter, sinkTarget } from "../report/reporter.ts";
import type { ActiveRun, Session } from "./session.ts";
import { checkSessionId, createSessionId, randomId } from "./session-registry.ts";

/** Options of `bus.start`. */
export interface StartOptions<T> {
  /** Default: a new one. An ended session begins anew, an open one is joined. */
  sessionId?: string | undefined;
  /** Who the session belongs to, as JSON: `authorize` gets it. Changing it has followers asked again. */
  owner?: unknown;
  /** Closes the run with `run_end` instead of ending the session: for a chat of many runs. */
  keepOpen?: boolean | undefined;
  /** Makes what `fn` returned into the `data` of the end. */
  result?: ((value: T) => EventData) | undefined;
}

/** What the function of a run is given. */
export interface RunContext {
  readonly sessionId: string;
  /** Aborts when the session is ended from elsewhere, or the bus closes. */
  readonly signal: AbortSignal;
  readonly reporter: Reporter;
}

/** A run that has begun. */
export interface StartedRun {
  readonly sessionId: string;
  /** With `keepOpen`: what the run's events carry as `run`. */
  readonly run?: string | undefined;
  /** How it ended; `error` is what `fn` threw. Never rejects. */
  readonly done: Promise<Outcome>;
}

/** Begins a run: calls `fn` now, under its reporter. */
export function startRun<T>(
  core: BusCore,
  fn: (context: RunContext) => T | PromiseLike<T>,
  options: StartOptions<T> = {},
): StartedRun {
  const { sessionId = createSessionId(), owner, keepOpen = false, result } = options;
  if (typeof fn !== "function") throw notAFunction("fn", fn);
  checkSessionId(sessionId);
  const ownerJson = owner === undefined ? undefined : ownerToJson(owner);
  if (core.closing) throw new SessionProgressError("closed", "The event bus is closed; no run can start.");
  const session = core.open(sessionId);
  if (ownerJson !== undefined) session.setOwner(ownerJson);
  const run = new Run(core, session, keepOpen ? randomId(6) : undefined);
  void run.call(fn, result);
  return { sessionId, run: run.id, done: run.done };
}

class Run implements ActiveRun {
  readonly id: string | undefined;
  readonly done: Promise<Outcome>;
  readonly #core: BusCore;
  readonly #session: Session;
  readonly #controller = new AbortController();
  readonly #reporter: Reporter;
  #resolve!: (outcome: Outcome) => void;
  #over = false;

  constructor(core: BusCore, session: Session, id: string | undefined) {
    this.id = id;
    this.#core = core;
    this.#session = session;
    this.done = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    const target = sinkTarget([core.sinkOf(session)], {
      end: (outcome) => {
        this.#finish(outcome);
        return Promise.resolve();
      },
      refused: () => void core.drop(session.id, "ended"),
    });
    this.#reporter = makeReporter(target, { run: id });
    session.runs.add(this);
  }

  async call<T>(
    fn: (context: RunContext) => T | PromiseLike<T>,
    result: ((value: T) => EventData) | undefined,
  ): Promise<void> {
    const { id: sessionId } = this.#session;
    const context: RunContext = { sessionId, signal: this.#controller.signal, reporter: this.#reporter };
    try {
      const value = await this.#reporter.run(() => fn(context));
      if (!this.#over) this.#end({ status: "completed", data: this.#resultData(value, result) });
    } catch (error) {
      if (!this.#over) this.#end({ status: "failed", error });
      // After an abort the function is expected to throw; anything else after its end must not get lost.
      else if (!this.#controller.signal.aborted) this.#core.hooks.fail(error, sessionId);
    }
  }

  /** The session has ended, or the bus closes, without this run. */
  cancel(outcome: Outcome): void {
    if (!this.#finish(outcome, false)) return;
    this.#controller.abort(new SessionProgressError("ended", "The session was ended from elsewhere."));
  }

  /** As the function's return or throw would. */
  #end(outcome: Outcome): void {
    void this.#reporter.end(outcome);
    if (outcome.status === "failed" && !this.#core.hooks.has("end")) {
      const message = `A run failed: ${messageOf(outcome.error)} (listen to the bus's \`end\` hook to see all)`;
      warnOnce("run", message, outcome.error);
    }
  }

  #finish(outcome: Outcome, tell = true): boolean {
    if (this.#over) return false;
    this.#over = true;
    this.#session.runs.delete(this);
    if (tell && this.id !== undefined) this.#core.endRun(this.#session, this.id, outcome);
    else if (tell) this.#core.endWith(this.#session, outcome);
    this.#resolve(outcome);
    return true;
  }

  #resultData<T>(value: T, result: ((value: T) => EventData) | undefined): EventData | undefined {
    const fault = this.#core.faultOf(this.#session.id);
    try {
      return result === undefined ? undefined : jsonCopy(result(value), fault);
    } catch (thrown) {
      this.#core.hooks.fail(thrown, this.#session.id);
      return undefined;
    }
  }
}

function ownerToJson(owner: unknown): string {
  let json: string | undefined;
  try {
    json = toJson(owner);
  } catch (cause) {
    throw new TypeError("Expected `owner` to be JSON", { cause });
  }
  if (json === undefined) throw mismatch("owner", "JSON", owner);
  return json;
}
