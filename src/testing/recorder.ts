import type { AgentEvent, GapEvent, Outcome, SessionEntry, SessionEvent } from "../protocol/event.ts";
import { createReporter, type SinkObject } from "../report/reporter.ts";

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
  readonly entries: readonly SessionEntry[];
  readonly events: readonly SessionEvent[];
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
export function createRecorder({ now, epoch = "test" }: RecorderOptions = {}): Recorder {
  const entries: SessionEntry[] = [];
  let outcome: Outcome | undefined;
  return {
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

/**
 * The next `count` of what `iterable` yields, or all of it until its end; then stops iterating.
 *
 * @example
 * ```ts
 * const [first, second] = await collect(bus.follow(sessionId), 2);
 * ```
 */
export async function collect<T>(
  iterable: AsyncIterable<T>,
  count: number = Number.POSITIVE_INFINITY,
): Promise<T[]> {
  const collected: T[] = [];
  if (count <= 0) return collected;
  for await (const item of iterable) {
    collected.push(item);
    if (collected.length >= count) break;
  }
  return collected;
}

/**
 * What a person watching would find wrong, as sentences: `"codesmith fell from 0.6 to 0.4 at event 12"`.
 * Empty when nothing is.
 *
 * Looks at each (run, agent, task) alone: progress that falls, reports after the end, and gaps.
 * @example
 * ```ts
 * expect(checkProgress(recorder.events)).toEqual([]);
 * ```
 */
export function checkProgress(events: Iterable<SessionEvent | SessionEntry>): string[] {
  const complaints: string[] = [];
  const furthest = new Map<string, AgentEvent>();
  let ended = false;
  let number = 0;
  for (const item of events) {
    const event = "event" in item ? item.event : item;
    number++;
    if (ended) complaints.push(`${nameOf(event)} came after the end at event ${number}`);
    if (event.t === "session_end") ended = true;
    else if (event.t === "gap") complaints.push(`${describeGap(event)} before event ${number}`);
    else if (event.t === "agent_event") {
      const key = JSON.stringify([event.run, event.agent, event.task]);
      const before = howFar(furthest.get(key));
      const now = howFar(event);
      if (before !== undefined && now !== undefined && now < before) {
        complaints.push(`${event.agent} fell from ${before} to ${now} at event ${number}`);
      }
      if (now !== undefined) furthest.set(key, event);
    }
  }
  return complaints;
}

/** Comparable only within one unit: a fraction where the total is known, else the bare count. */
function howFar(event: AgentEvent | undefined): number | undefined {
  return event?.pct ?? event?.progress;
}

function nameOf(event: SessionEvent): string {
  return event.t === "agent_event" ? event.agent : event.t;
}

function describeGap({ reason, missed, lost }: GapEvent): string {
  if (reason === "reset") return "the position was reset";
  const count = missed ?? lost;
  return `${count ?? "some"} events were ${reason === "behind" ? "missed" : "dropped"}`;
}
