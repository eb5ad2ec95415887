import type { ProgressReport } from "../protocol/event.ts";
import { type AmbientStore, ambientStore, runWith } from "../runtime/async-context.ts";
import { debugOnce } from "../runtime/diagnostics.ts";
import { notAFunction } from "../runtime/errors.ts";
import { checkAgent, type Scope } from "./check-report.ts";
import { makeReporter, originOf, type Reporter, type Target } from "./reporter.ts";

/**
 * Reports to the session of the current async context. Nothing is passed along: `start`, `withSession` and
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
 * @returns What `fn` returns.
 * @throws {TypeError} If `agent` is not a string of 1 to 256 characters.
 */
export function withAgent<T>(agent: string, fn: () => T): T {
  checkAgent(agent);
  const store = ambientStore();
  if (store === undefined) return fn();
  const { target, scope } = originOf(store.reporter) ?? foreignOrigin(store);
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
  if (originOf(store.reporter) !== undefined) return store.reporter as Reporter;
  const { target, scope } = foreignOrigin(store);
  return makeReporter(target, scope);
}

/**
 * A function that runs `fn` under today's reporter, whoever calls it; outside a session: under none.
 *
 * An emitter's listener otherwise runs in the *emitter's* context, which may be another user's session.
 * @returns A function of the same `length` and `name`: Express tells error handlers by their four parameters.
 */
export function bindReporter<This, A extends unknown[], T>(
  fn: (this: This, ...args: A) => T,
): (this: This, ...args: A) => T {
  if (typeof fn !== "function") throw notAFunction("fn", fn);
  const store = ambientStore();
  const bound = function (this: This, ...args: A): T {
    return runWith(store, () => fn.apply(this, args));
  };
  for (const name of ["length", "name"] as const) {
    Object.defineProperty(bound, name, { value: fn[name], configurable: true });
  }
  return bound;
}

/** What a reporter in the context stands for that another copy, or another library, put there. */
function foreignOrigin({ reporter }: AmbientStore): { target: Target; scope: Scope } {
  const target: Target = {
    accept: (report, { agent }) =>
      reporter.report(agent === undefined || report.agent !== undefined ? report : { ...report, agent }),
    end: () => Promise.resolve(),
  };
  return { target, scope: {} };
}
