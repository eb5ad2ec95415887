import type { Outcome, SessionEntry, SessionEvent } from "../protocol/event.ts";
import { createReporter } from "../report/reporter.ts";
import type { SinkObject } from "../report/sink.ts";

/** Options of {@link createRecorder}. */
export interface RecorderOptions {
  /** The clock of the recorded `ts`, as `Date.now`: set it to make snapshots stable. Default: as reported. */
  now?: (() => number) | undefined;
  /** The epoch of the recorded ids. Default `"test"`, so ids are `test-1`, `test-2`, … */
  epoch?: string | undefined;
}

/** A sink that keeps what it receives. */
export interface Recorder extends SinkObject {
  /** Everything received, in order, with ids. */
  readonly entries: readonly SessionEntry[];
  /** The same without ids. */
  readonly events: readonly SessionEvent[];
  /** Only the messages, for short assertions. */
  readonly messages: readonly string[];
  /** How the reporter ended; `undefined` while it has not. */
  readonly outcome: Outcome | undefined;
}

/** What {@link recordSession} recorded. */
export interface Recording<T> {
  /** Everything reported, in order, with ids. */
  readonly entries: readonly SessionEntry[];
  /** The same without ids. */
  readonly events: readonly SessionEvent[];
  /** Only the messages, for short assertions. */
  readonly messages: readonly string[];
  /** `completed`, or `failed` with what the function threw. */
  readonly outcome: Outcome;
  /** What the function returned. */
  readonly value: T | undefined;
}

/**
 * A sink that keeps every event, to test code that reports: no server, no bus.
 *
 * Strict: a malformed report throws its `TypeError` at the code that reports.
 * @example
 * ```ts
 * const recorder = createRecorder();
 * await createReporter(recorder).run(() => agentUnderTest());
 * expect(recorder.messages).toEqual(["Reading", "Done"]);
 * ```
 */
export function createRecorder(options: RecorderOptions = {}): Recorder {
  const { now, epoch = "test" } = options;
  const entries: SessionEntry[] = [];
  let outcome: Outcome | undefined;
  return {
    strict: true,
    event: (event) => {
      const kept =
        now === undefined || event.t === "gap" ? event : { ...event, ts: new Date(now()).toISOString() };
      entries.push(Object.freeze({ id: `${epoch}-${entries.length + 1}`, event: Object.freeze(kept) }));
    },
    end: (ended) => {
      outcome ??= ended;
    },
    error: (error) => {
      throw error;
    },
    get entries() {
      return entries;
    },
    get events() {
      return entries.map((entry) => entry.event);
    },
    get messages() {
      return entries.flatMap(({ event }) => (event.t === "agent_event" ? event.msg : []));
    },
    get outcome() {
      return outcome;
    },
  };
}

/**
 * Calls `fn` under a recorder and resolves with what was reported, also when `fn` throws: then `outcome` is
 * `failed` and holds the error.
 *
 * @example
 * ```ts
 * const { messages, outcome } = await recordSession(() => agentUnderTest());
 * expect(outcome.status).toBe("completed");
 * ```
 */
export async function recordSession<T>(
  fn: () => T | PromiseLike<T>,
  options?: RecorderOptions,
): Promise<Recording<T>> {
  if (typeof fn !== "function")
    throw new TypeError("Expected `fn` to be a function: pass it, do not call it");
  const recorder = createRecorder(options);
  const reporter = createReporter(recorder);
  let value: T | undefined;
  let outcome: Outcome = { status: "completed" };
  try {
    value = await reporter.run(fn);
  } catch (error) {
    outcome = { status: "failed", error };
  }
  await reporter.end(outcome);
  const { entries, events, messages } = recorder;
  return { entries, events, messages, outcome, value };
}
