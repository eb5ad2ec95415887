import type { AgentEvent, Outcome, ProgressReport } from "../protocol/event.ts";
import { type AmbientStore, runWith } from "../runtime/async-context.ts";
import { warnOnce } from "../runtime/diagnostics.ts";
import { isStackEnd, messageOf, notAFunction } from "../runtime/errors.ts";
import { reserveStack } from "../runtime/stack.ts";
import { checkOutcome, checkReport, type Scope } from "./check-report.ts";
import { fromJson } from "./json-data.ts";
import {
  endAll,
  isSession,
  offer,
  TAKE,
  sessionOf,
  type Sink,
  type SessionSink,
  type SinkObject,
  tellFault,
  toSinkObject,
} from "./sink.ts";

/**
 * The one handle that code holds to report. Its methods work detached (`const { report } = reporter`).
 *
 * Pass it where the context does not reach: a queue, a worker, an emitter's listener, a generator.
 */
export interface Reporter {
  /**
   * Hands a report to the sinks.
   *
   * Synchronous, never waits; throws only where a sink asked for it (`strict`, everything in `/testing`).
   *
   * @returns Whether any sink took it; `false`: ended, or full.
   */
  readonly report: (report: ProgressReport) => boolean;
  /** Calls `fn` with this reporter as the ambient one and returns what it returns. Ends nothing. */
  readonly run: <T>(fn: () => T) => T;
  /**
   * Ends what this reporter stands for, once; default `{ status: "completed" }`.
   *
   * Resolves when every sink has ended and never rejects.
   * @throws {TypeError} If `status` is none of the three.
   */
  readonly end: (outcome?: Outcome) => Promise<void>;
  /** The session it reports to, when it reports to one. */
  readonly sessionId?: string | undefined;
  /** The incarnation of that session. */
  readonly epoch?: string | undefined;
}

/** Where a reporter's reports go, shared by all reporters derived from it (`withAgent`). */
export interface Target {
  accept(report: ProgressReport, scope: Scope): boolean;
  end(outcome: Outcome): Promise<void>;
  readonly sessionId?: string | undefined;
  readonly epoch?: string | undefined;
}

/** What is said of a report that comes too late, where nothing else would show it. It names no session and quotes nothing. */
export const LATE_REPORT: string =
  "A report came after its run or session had ended, and goes nowhere. Usual causes: a callback in an earlier run's " +
  "context (a pooled connection's, LangChain's), a stream that is read after `fn` returned " +
  "(toUIMessageStreamResponse), a promise that nobody awaits (listen to the bus's `drop` hook to see all)";

/** What a target may do differently from just asking its sinks. */
export interface TargetOptions {
  /** Instead of ending every sink. */
  end?(outcome: Outcome): Promise<void>;
  /** Told of each report that comes after the end; without it the process is, once. */
  refused?(): void;
}

/**
 * What a reporter of this copy stands for, as a property of it. Not a WeakMap: its table grows with the reporters made
 * between two collections, and never shrinks.
 */
const ORIGIN = Symbol("origin");

interface Origin {
  readonly target: Target;
  readonly scope: Scope;
}

/**
 * A reporter for any sinks: a callback, an event bus's `sink`, an MCP request, several at once.
 *
 * @throws {TypeError} If a sink is neither a function nor an object with `event`.
 * @example
 * ```ts
 * const reporter = createReporter((event) => socket.send(JSON.stringify(event)));
 * reporter.report({ message: "explicitly" });
 * await reporter.run(async () => reportProgress({ message: "ambiently" }));
 * ```
 */
export function createReporter(...sinks: Sink[]): Reporter {
  return makeReporter(new SinkTarget(sinks.map(toSinkObject)), {});
}

/** A reporter that hands its reports to `target`, with what `scope` adds to them. */
export function makeReporter(target: Target, scope: Scope): Reporter {
  const reporter: Reporter = {
    report: (report) => target.accept(report, scope),
    run: (fn) => {
      if (typeof fn !== "function") throw notAFunction("fn", fn);
      return runWith(store, fn);
    },
    end: (outcome = { status: "completed" }) => {
      checkOutcome(outcome);
      return target.end(outcome);
    },
    get sessionId() {
      return target.sessionId;
    },
    get epoch() {
      return target.epoch;
    },
  };
  const store: AmbientStore = Object.freeze({ reporter });
  const origin: Origin = { target, scope };
  Object.defineProperty(reporter, ORIGIN, { value: origin });
  return reporter;
}

/** Target and scope of a reporter that this copy made. */
export function originOf(reporter: object): Origin | undefined {
  return (reporter as { [ORIGIN]?: Origin })[ORIGIN];
}

/** Builds the event once and hands it to every sink. */
export class SinkTarget implements Target {
  readonly #sinks: readonly SinkObject[];
  readonly #options: TargetOptions;
  readonly #session: { readonly sessionId: string; readonly epoch: string } | undefined;
  /** The only sink, when it is a session: the usual case, and the one that has to be fast. */
  readonly #only: SessionSink | undefined;
  readonly #strict: boolean;
  #ended = false;
  #cancelled = false;
  #ending: Promise<void> = Promise.resolve();

  constructor(sinks: readonly SinkObject[], options: TargetOptions = {}) {
    this.#sinks = sinks;
    this.#options = options;
    this.#session = sessionOf(sinks);
    const [first] = sinks;
    this.#only = sinks.length === 1 && first !== undefined && isSession(first) ? first : undefined;
    this.#strict = sinks.some((sink) => sink.strict === true);
  }

  get sessionId(): string | undefined {
    return this.#session?.sessionId;
  }

  get epoch(): string | undefined {
    return this.#session?.epoch;
  }

  accept(report: ProgressReport, scope: Scope): boolean {
    try {
      if (this.#ended) return this.#refuse();
      const { event, dataJson, faults } = checkReport(report, scope, this.#strict);
      if (faults !== undefined) for (const fault of faults) tellFault(this.#sinks, fault);
      return event !== undefined && this.#offerAll(event, dataJson);
    } catch (thrown) {
      // The stack's end is the caller's affair, and soon its own error; a report is no place to meet it.
      if (isStackEnd(thrown)) return false;
      throw thrown;
    }
  }

  end(outcome: Outcome): Promise<void> {
    if (this.#ended) return this.#ending;
    try {
      reserveStack(1);
    } catch {
      // Nothing has ended, and whoever has room may ask again: a run does when its function has thrown.
      return this.#ending;
    }
    this.#ended = true;
    this.#cancelled = outcome.status === "cancelled";
    try {
      this.#ending = this.#options.end?.(outcome) ?? endAll(this.#sinks, outcome);
    } catch (thrown) {
      warnOnce("end", `An end failed: ${messageOf(thrown)}`, thrown);
    }
    return this.#ending;
  }

  #offerAll(event: AgentEvent, dataJson: string | undefined): boolean {
    // Again: getters, `toJSON` and `error` have run the caller's code, which may have ended this.
    if (this.#ended) return this.#refuse();
    if (this.#only !== undefined) return this.#only[TAKE](event, dataJson);
    let taken = false;
    let whole = dataJson === undefined ? event : undefined;
    for (const sink of this.#sinks) {
      const answer = isSession(sink)
        ? sink[TAKE](event, dataJson)
        : offer(sink, (whole ??= withData(event, dataJson!)));
      if (answer) taken = true;
    }
    return taken;
  }

  #refuse(): false {
    if (this.#options.refused !== undefined) this.#options.refused();
    else if (!this.#cancelled) warnOnce("late", LATE_REPORT);
    return false;
  }
}

function withData(event: AgentEvent, dataJson: string): AgentEvent {
  return Object.freeze({ ...event, data: fromJson(dataJson) });
}
