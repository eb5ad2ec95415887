import { type AmbientStore, ambientStore, runWith } from "../runtime/async-context.ts";
import { catchRejection, debugOnce, warnOnce } from "../runtime/diagnostics.ts";
import { messageOf, mismatch, toError } from "../runtime/errors.ts";
import type { AgentEvent, Outcome, ProgressReport, SessionEvent } from "../protocol/event.ts";
import { agentEvent, checkAgent, checkOutcome, type Scope } from "./check-report.ts";

/** The object form of a {@link Sink}. */
export interface SinkObject {
  /** Receives each event, synchronously. `false` means: not taken. */
  event(event: SessionEvent): boolean | void;
  /** Called once, when the reporter ends. */
  end?(outcome: Outcome): void | Promise<void>;
  /**
   * Sees what was wrong with a report, and what this sink's `event` threw. What it throws itself reaches
   * the code that reports: that is how `strict` works. Without it the fault becomes one process warning.
   */
  error?(error: Error): void;
}

/** Whatever receives events: a function, or an object with `event`. */
export type Sink = ((event: SessionEvent) => void) | SinkObject;

/**
 * The one handle that code holds to report. Its methods work detached (`const { report } = reporter`).
 *
 * Pass it where the context does not reach: a queue, a worker, an emitter's listener, a generator.
 */
export interface Reporter {
  /**
   * Hands a report to the sinks and returns whether any of them took it (`false`: ended, or full).
   *
   * Synchronous, never waits; throws only where a sink asked for it (`strict`, everything in `/testing`).
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

const origins = new WeakMap<object, { target: Target; scope: Scope }>();

/**
 * A reporter for any sinks: a callback, an event bus's `sink`, an MCP request, several at once.
 *
 * @throws {TypeError} If a sink is neither a function nor an object with `event`.
 * @example
 * ```ts
 * const reporter = createReporter((event) => console.log(event));
 * reporter.report({ message: "explicitly" });
 * await reporter.run(async () => reportProgress({ message: "ambiently" }));
 * ```
 */
export function createReporter(...sinks: Sink[]): Reporter {
  return makeReporter(sinkTarget(sinks.map(toSinkObject)), {});
}

/**
 * Reports to the session of the current async context. Nothing is passed along: `run`, `start` and
 * `Reporter.run` put the session there, and it survives every `await`.
 *
 * Outside a session it does nothing, so library code may call it unconditionally.
 *
 * @returns Whether somebody took it: `false` outside a session, after its end, or when limits are reached.
 * @example
 * ```ts
 * reportProgress({ message: "Reading files", progress: 3, total: 7, agent: "codesmith", phase: "think" });
 * ```
 */
export function reportProgress(report: ProgressReport): boolean {
  const store = ambientStore();
  if (store === undefined) {
    if (!saidOutside) sayOutside();
    return false;
  }
  return store.reporter.report(report);
}

let saidOutside = false;

function sayOutside(): void {
  saidOutside = true;
  debugOnce("outside", "reportProgress() was called outside a session; such reports go nowhere.");
}

/**
 * Calls `fn`; reports inside carry this agent. The innermost wins, an explicit `agent` beats it.
 *
 * Outside a session it just calls `fn`.
 * @throws {TypeError} If `agent` is not a string of 1 to 256 characters.
 */
export function withAgent<T>(agent: string, fn: () => T): T {
  checkAgent(agent, (error) => {
    throw error;
  });
  const store = ambientStore();
  if (store === undefined) return fn();
  const { target, scope } = originOf(store);
  return makeReporter(target, { ...scope, agent }).run(fn);
}

/**
 * The ambient reporter as an explicit handle, with its agent; `undefined` outside a session.
 *
 * For code that runs in somebody else's context: a generator's consumer, a queue's worker, a listener.
 */
export function currentReporter(): Reporter | undefined {
  const store = ambientStore();
  if (store === undefined) return undefined;
  if (origins.has(store.reporter)) return store.reporter as Reporter;
  const { target, scope } = originOf(store);
  return makeReporter(target, scope);
}

/**
 * A function that runs `fn` under today's reporter, whoever calls it; outside a session: under none.
 *
 * An emitter's listener otherwise runs in the *emitter's* context, which may be another user's session.
 */
export function bindReporter<This, A extends unknown[], T>(
  fn: (this: This, ...args: A) => T,
): (this: This, ...args: A) => T {
  const store = ambientStore();
  return function bound(this: This, ...args: A): T {
    return runWith(store, () => fn.apply(this, args));
  };
}

/** A reporter that hands its reports to `target`, with what `scope` adds to them. */
export function makeReporter(target: Target, scope: Scope): Reporter {
  const reporter: Reporter = Object.freeze({
    report: (report: ProgressReport) => target.accept(report, scope),
    run: <T>(fn: () => T): T => runWith(store, fn),
    end: (outcome: Outcome = { status: "completed" }) => {
      checkOutcome(outcome);
      return target.end(outcome);
    },
    sessionId: target.sessionId,
    epoch: target.epoch,
  });
  const store: AmbientStore = Object.freeze({ reporter });
  origins.set(reporter, { target, scope });
  return reporter;
}

/** What a target may do differently from just asking its sinks. */
interface TargetOptions {
  /** Instead of ending every sink. */
  end?(outcome: Outcome): Promise<void>;
  /** Told of each report that comes after the end. */
  refused?(): void;
}

/** Builds the event once and hands it to every sink. */
export function sinkTarget(sinks: readonly SinkObject[], options: TargetOptions = {}): Target {
  let ended = false;
  let ending = Promise.resolve();
  const fault = (error: TypeError): void => {
    const seers = sinks.filter((sink) => sink.error !== undefined);
    if (seers.length === 0) warnOnce("report", error.message, error);
    for (const sink of seers) sink.error?.(error);
  };
  return {
    accept(report, scope) {
      if (ended) {
        options.refused?.();
        return false;
      }
      const event = agentEvent(report, scope, fault);
      if (event === undefined) return false;
      let taken = false;
      for (const sink of sinks) if (offer(sink, event)) taken = true;
      return taken;
    },
    end(outcome) {
      if (ended) return ending;
      ended = true;
      ending = options.end?.(outcome) ?? endAll(sinks, outcome);
      return ending;
    },
    ...sessionOf(sinks),
  };
}

function offer(sink: SinkObject, event: AgentEvent): boolean {
  try {
    const answer: unknown = sink.event(event);
    if (typeof answer === "object") {
      catchRejection(answer, (thrown) => {
        tellLater(sink, thrown);
      });
    }
    return answer !== false;
  } catch (thrown) {
    tell(sink, toError(thrown));
    return false;
  }
}

/** As `tell`, where there is no caller left to throw to. */
function tellLater(sink: SinkObject, thrown: unknown): void {
  try {
    tell(sink, toError(thrown));
  } catch (again) {
    warnOnce("sink", `A sink rejected: ${messageOf(again)}`, again);
  }
}

function tell(sink: SinkObject, error: Error): void {
  if (sink.error) sink.error(error);
  else warnOnce("sink", `A sink threw: ${error.message}`, error);
}

async function endAll(sinks: readonly SinkObject[], outcome: Outcome): Promise<void> {
  await Promise.all(sinks.map((sink) => endSink(sink, outcome)));
}

async function endSink(sink: SinkObject, outcome: Outcome): Promise<void> {
  try {
    await sink.end?.(outcome);
  } catch (thrown) {
    warnOnce("sink.end", `A sink's \`end\` threw: ${messageOf(thrown)}`, thrown);
  }
}

function toSinkObject(sink: Sink): SinkObject {
  if (typeof sink === "function") return { event: sink };
  if (typeof (sink as Partial<SinkObject> | null)?.event === "function") return sink;
  throw mismatch("sink", "a function or an object with `event`", sink);
}

/** A bus's sink says which session it is; of several the first counts. */
function sessionOf(sinks: readonly SinkObject[]): { sessionId?: string; epoch?: string } {
  const first = sinks.find((sink) => "sessionId" in sink) as { sessionId: string; epoch: string } | undefined;
  return first === undefined ? {} : { sessionId: first.sessionId, epoch: first.epoch };
}

/** What a reporter in the context stands for; one that is not ours keeps its own `report`. */
function originOf(store: AmbientStore): { target: Target; scope: Scope } {
  const own = origins.get(store.reporter);
  if (own !== undefined) return own;
  const foreign = store.reporter;
  const target: Target = {
    accept: (report, { agent }) =>
      foreign.report(agent === undefined || report.agent !== undefined ? report : { ...report, agent }),
    end: () => Promise.resolve(),
  };
  return { target, scope: {} };
}
