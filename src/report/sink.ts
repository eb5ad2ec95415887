import type { Outcome, SessionEvent } from "../protocol/event.ts";
import { catchRejection, warnOnce } from "../runtime/diagnostics.ts";
import { messageOf, mismatch, toError } from "../runtime/errors.ts";
import { reserveStack } from "../runtime/stack.ts";

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
  /**
   * Whether `error` is to see also what JSON would change without a word: a Map in `data` becomes `{}`.
   *
   * @defaultValue `false`
   */
  readonly strict?: boolean | undefined;
}

/** Whatever receives events: a function, whose answer does not matter, or an object with `event`. */
export type Sink = ((event: SessionEvent) => void) | SinkObject;

/** The method by which a session takes events that a reporter of this copy has made: checked, frozen, `data` as JSON. */
export const TAKE: unique symbol = Symbol("take");

/** A sink that need not check again what a reporter has checked, and says which session it is. */
export interface SessionSink extends SinkObject {
  readonly sessionId: string;
  readonly epoch: string;
  [TAKE](event: SessionEvent, dataJson: string | undefined): boolean;
}

/** @throws {TypeError} Unless `sink` is a function or an object with `event`. */
export function toSinkObject(sink: Sink): SinkObject {
  if (typeof sink === "function") return new FunctionSink(sink);
  if (typeof (sink as Partial<SinkObject> | null)?.event === "function") return sink;
  throw mismatch("sink", "a function or an object with `event`", sink);
}

/** Whether `sink` is a session of this copy. */
export function isSession(sink: SinkObject): sink is SessionSink {
  return TAKE in sink;
}

/** The session that one of `sinks` stands for; of several the first counts. */
export function sessionOf(
  sinks: readonly SinkObject[],
): Pick<SessionSink, "sessionId" | "epoch"> | undefined {
  return sinks.find((sink): sink is SessionSink => "sessionId" in sink);
}

/** Hands `event` to `sink`. Returns whether it took it; what it throws is told to its own `error`. */
export function offer(sink: SinkObject, event: SessionEvent): boolean {
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

/** Tells every sink that listens of what was wrong with a report; else the process, once. May throw: `strict`. */
export function tellFault(sinks: readonly SinkObject[], fault: TypeError): void {
  let told = false;
  for (const sink of sinks) {
    if (sink.error === undefined) continue;
    told = true;
    sink.error(fault);
  }
  if (!told) warnOnce("report", fault.message, fault);
}

/** Ends every sink; never rejects. */
export function endAll(sinks: readonly SinkObject[], outcome: Outcome): Promise<void> {
  reserveStack(2);
  return Promise.all(sinks.map((sink) => endOne(sink, outcome))).then(() => undefined);
}

class FunctionSink implements SinkObject {
  readonly #receive: (event: SessionEvent) => unknown;

  constructor(receive: (event: SessionEvent) => unknown) {
    this.#receive = receive;
  }

  event(event: SessionEvent): boolean | void {
    const answer = this.#receive(event);
    // A promise is passed on, its rejection is to be caught; `(e) => list.includes(e)` says nothing about taking.
    if (typeof answer === "object") return answer as unknown as void;
  }
}

async function endOne(sink: SinkObject, outcome: Outcome): Promise<void> {
  try {
    await sink.end?.(outcome);
  } catch (thrown) {
    warnOnce("sink.end", `A sink's \`end\` threw: ${messageOf(thrown)}`, thrown);
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
  else warnOnce("sink", `A sink threw: ${messageOf(error)}`, error);
}
