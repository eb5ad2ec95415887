import { describe, expect, test } from "vitest";
import {
  createEventBus,
  currentReporter,
  reportProgress,
  type RunContext,
  type SessionEventBus,
} from "session-progress";
import { deferred } from "../../support/deferred.ts";
import { describeEvent } from "../../support/events.ts";
import { recordErrors } from "../../support/hooks.ts";
import { readEntries, recordEntries } from "../../support/session-entries.ts";
import { untyped } from "../../support/untyped.ts";
import { nextTurn } from "../../support/event-loop.ts";

// `result` makes data of what a run returned. It may be async, and it belongs to the run.

const KEEP_OPEN = [true, false];

/** Runs `fn` with this `result` in session `s`; `result` may answer whatever code without types may. */
function run(bus: SessionEventBus, keepOpen: boolean, result: (value: number) => unknown) {
  return bus.start(() => 7, { sessionId: "s", keepOpen, result: untyped(result) });
}

describe.each(KEEP_OPEN)("an async result (keepOpen: %j)", (keepOpen) => {
  test.each([
    ["a promise", async (n: number) => ({ n })],
    ["a promise that takes its time", async (n: number) => (await nextTurn(), { n })],
    ["a thenable", (n: number) => ({ then: (resolve: (value: unknown) => void) => resolve({ n }) })],
  ])("that is %s is awaited: data is what it resolves with", async (_what, result) => {
    const bus = createEventBus({ strict: true });
    const faults = recordErrors(bus);
    const outcome = await run(bus, keepOpen, result).done;
    expect(outcome).toEqual({ status: "completed", data: { n: 7 } });
    expect(readEntries(bus, "s").at(-1)?.event).toMatchObject({ status: "completed", data: { n: 7 } });
    expect(faults).toEqual([]);
  });

  test.each([
    ["rejects", async () => Promise.reject(new Error("no result"))],
    ["rejects later", async () => (await nextTurn(), Promise.reject(new Error("no result")))],
    [
      "throws",
      () => {
        throw new Error("no result");
      },
    ],
    [
      "is a thenable that rejects",
      () => ({ then: (_: unknown, reject: (e: Error) => void) => reject(new Error("no result")) }),
    ],
    [
      "is a thenable that throws",
      () => ({
        then: () => {
          throw new Error("no result");
        },
      }),
    ],
  ])("that %s is told to the error hook: the end goes out without data", async (_how, result) => {
    for (const strict of [false, true]) {
      const bus = createEventBus({ strict });
      const faults: unknown[][] = [];
      bus.on("error", (error, sessionId) => void faults.push([error.message, sessionId]));
      const outcome = await run(bus, keepOpen, result).done;
      expect(outcome).toEqual({ status: "completed" });
      expect(readEntries(bus, "s").at(-1)?.event).toEqual({
        ...(keepOpen ? { t: "run_end", run: expect.any(String) } : { t: "session_end" }),
        status: "completed",
        ts: expect.any(String),
      });
      expect(faults).toEqual([["no result", "s"]]);
    }
  });

  test.each([
    ["no JSON", async () => 1n],
    [
      "a circle",
      async () => {
        const a: unknown[] = [];
        a.push(a);
        return a;
      },
    ],
    ["a function", async () => () => 1],
  ])("that resolves with %s loses it, and that is told", async (_what, result) => {
    for (const strict of [false, true]) {
      const bus = createEventBus({ strict });
      const faults = recordErrors(bus);
      expect(await run(bus, keepOpen, result).done).toMatchObject({ status: "completed" });
      expect(readEntries(bus, "s").at(-1)?.event).not.toHaveProperty("data");
      expect(faults).toEqual([expect.any(TypeError)]);
    }
  });

  test("that resolves with nothing is no fault", async () => {
    const bus = createEventBus({ strict: true });
    const faults = recordErrors(bus);
    expect(await run(bus, keepOpen, async () => undefined).done).toEqual({ status: "completed" });
    expect(faults).toEqual([]);
  });

  test("keeps the run going until it is there, and may be aborted", async () => {
    const bus = createEventBus();
    const held = deferred();
    let signal: AbortSignal | undefined;
    const { done } = bus.start((context: RunContext) => void (signal = context.signal), {
      sessionId: "s",
      keepOpen,
      result: untyped(async () => (await held.promise, "late")),
    });
    await nextTurn();
    expect(recordEntries(bus, "s")).toEqual([]);
    bus.end("s", { status: "failed" });
    expect(await done).toEqual({ status: "cancelled" });
    expect(signal?.aborted).toBe(true);
    held.resolve();
    await nextTurn();
    expect(readEntries(bus, "s").map(describeEvent)).toEqual([
      ...(keepOpen ? ["run cancelled"] : []),
      "end failed",
    ]);
  });

  test("that rejects after its run was cancelled kills nothing", async () => {
    const bus = createEventBus();
    recordErrors(bus);
    const held = deferred();
    const { done } = run(bus, keepOpen, async () => (await held.promise, Promise.reject(new Error("late"))));
    await nextTurn();
    bus.end("s");
    expect(await done).toEqual({ status: "cancelled" });
    held.resolve();
    await nextTurn();
    await nextTurn();
    expect(readEntries(bus, "s").map(describeEvent).at(-1)).toBe("end completed");
  });
});

describe.each(KEEP_OPEN)("what a result reports (keepOpen: %j)", (keepOpen) => {
  test.each([
    ["at once", (n: number) => (reportProgress({ message: "from result" }), n)],
    [
      "after an await",
      async (n: number) => (await nextTurn(), reportProgress({ message: "from result" }), n),
    ],
  ])("%s lands in its own session, before the end", async (_when, result) => {
    const bus = createEventBus();
    const caller = recordEntries(bus, "caller");
    const { done } = bus.reporter("caller").run(() => run(bus, keepOpen, result));
    await done;
    expect(caller).toEqual([]);
    expect(readEntries(bus, "s").map(describeEvent)).toEqual([
      "from result",
      keepOpen ? "run completed" : "end completed",
    ]);
  });

  test("carries its run", async () => {
    const bus = createEventBus();
    let reporter: unknown;
    const started = bus.start((context) => context, {
      sessionId: "s",
      keepOpen,
      result: (context) => {
        reporter = currentReporter();
        expect(reporter).toBe(context.reporter);
        return context.reporter.report({ message: "explicit" });
      },
    });
    expect(await started.done).toMatchObject({ data: true });
    expect(reporter).toBeDefined();
    const [entry] = readEntries(bus, "s");
    expect((entry?.event as { run?: string }).run).toBe(started.run);
  });
});
