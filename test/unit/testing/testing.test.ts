import { describe, expect, test } from "vitest";
import {
  type AgentEvent,
  createEventBus,
  createReporter,
  reportProgress,
  type SessionEvent,
  withAgent,
} from "session-progress";
import { checkProgress, collect, createRecorder, recordSession } from "session-progress/testing";

const now = () => Date.parse("2026-11-22T08:37:06.927Z");

describe("createRecorder", () => {
  test("makes snapshots that do not change from run to run", async () => {
    const recorder = createRecorder({ now, epoch: "1" });
    const reporter = createReporter(recorder);
    reporter.run(() =>
      withAgent("codesmith", () =>
        reportProgress({ message: "Analyzing architecture", progress: 0.35, phase: "think" }),
      ),
    );
    reporter.report({ message: "Reading", progress: 3, total: 7, data: { file: "a.ts" } });
    await reporter.end({ status: "failed" });
    expect(recorder.entries.map((entry) => JSON.stringify(entry))).toMatchInlineSnapshot(`
      [
        "{"id":"1-1","event":{"t":"agent_event","agent":"codesmith","phase":"think","msg":"Analyzing architecture","pct":0.35,"ts":"2026-11-22T08:37:06.927Z"}}",
        "{"id":"1-2","event":{"t":"agent_event","agent":"agent","phase":"progress","msg":"Reading","pct":0.42857142857142855,"ts":"2026-11-22T08:37:06.927Z","progress":3,"total":7,"data":{"file":"a.ts"}}}",
      ]
    `);
    expect(recorder.outcome).toEqual({ status: "failed" });
  });

  test("keeps entries with ids, events and messages", () => {
    const recorder = createRecorder();
    const reporter = createReporter(recorder);
    expect(recorder).toMatchObject({ entries: [], events: [], messages: [], outcome: undefined });
    reporter.report({ message: "one" });
    reporter.report({ message: "two" });
    expect(recorder.entries.map(({ id }) => id)).toEqual(["test-1", "test-2"]);
    expect(recorder.events).toEqual(recorder.entries.map(({ event }) => event));
    expect(recorder.messages).toEqual(["one", "two"]);
  });

  test("records a gap as it is", () => {
    const recorder = createRecorder({ now });
    recorder.event({ t: "gap", reason: "reset" });
    expect(recorder.events).toEqual([{ t: "gap", reason: "reset" }]);
  });

  test("keeps the first end", () => {
    const recorder = createRecorder();
    void recorder.end?.({ status: "cancelled" });
    void recorder.end?.({ status: "completed" });
    expect(recorder.outcome).toEqual({ status: "cancelled" });
  });
});

describe("recordSession", () => {
  test("resolves with what was reported and returned", async () => {
    const recording = await recordSession(async () => {
      reportProgress({ message: "Reading" });
      await Promise.resolve();
      reportProgress({ message: "Done" });
      return 42;
    });
    expect(recording).toMatchObject({
      messages: ["Reading", "Done"],
      outcome: { status: "completed" },
      value: 42,
    });
    expect(recording.entries).toHaveLength(2);
  });

  test.each([
    [
      "throws",
      () => {
        reportProgress({ message: "Reading" });
        throw new Error("boom");
      },
    ],
    [
      "rejects",
      async () => {
        reportProgress({ message: "Reading" });
        await Promise.reject(new Error("boom"));
      },
    ],
  ])("resolves with what was reported before its function %s, and with the error", async (_how, fn) => {
    const { messages, outcome, value } = await recordSession<unknown>(fn);
    expect(messages).toEqual(["Reading"]);
    expect(outcome).toEqual({ status: "failed", error: new Error("boom") });
    expect(value).toBeUndefined();
  });

  test("is strict: a malformed report is the function's error", async () => {
    const { outcome } = await recordSession(() => reportProgress({ progress: -1 }));
    expect(outcome).toEqual({
      status: "failed",
      error: new TypeError("Expected `progress` to be 0 or more, got -1"),
    });
  });

  test("takes the options of a recorder", async () => {
    const { entries } = await recordSession(() => reportProgress({}), { now, epoch: "9" });
    expect(entries[0]).toMatchObject({ id: "9-1", event: { ts: "2026-11-22T08:37:06.927Z" } });
  });
});

describe("collect", () => {
  test("takes so many, or all until the end, and then stops iterating", async () => {
    const bus = createEventBus();
    for (const message of ["1", "2", "3"]) bus.publish("s", { message });
    expect(await collect(bus.follow("s"), 2)).toHaveLength(2);
    expect(await collect(bus.follow("s"), 0)).toEqual([]);
    bus.end("s");
    expect(await collect(bus.follow("s"))).toHaveLength(4);
    expect(bus.stats().followers).toBe(0);
  });
});

describe("checkProgress", () => {
  const event = (part: Partial<AgentEvent>): AgentEvent => ({
    ...{ t: "agent_event", agent: "codesmith", phase: "progress", msg: "", ts: "" },
    ...part,
  });
  const end: SessionEvent = { t: "session_end", status: "completed", ts: "" };

  test("has nothing to say when all is well", () => {
    const events = [
      event({ pct: 0.1 }),
      event({}),
      event({ pct: 0.1 }),
      event({ agent: "critic", pct: 0 }),
      end,
    ];
    expect(checkProgress(events)).toEqual([]);
    expect(checkProgress([])).toEqual([]);
  });

  test("names who fell, from what to what, and where", () => {
    const events = Array.from({ length: 10 }, (_, i) => event({ pct: i / 20 }));
    expect(checkProgress([...events, event({ pct: 0.6 }), event({ pct: 0.4 })])).toEqual([
      "codesmith fell from 0.6 to 0.4 at event 12",
    ]);
  });

  test("looks at each run, agent and task alone", () => {
    const parts: Partial<AgentEvent>[] = [
      {},
      { agent: "critic" },
      { run: "r" },
      { task: "t" },
      { run: "r", task: "t" },
    ];
    const falling = parts.map((part, i) => event({ ...part, pct: 1 - i / 10 }));
    expect(checkProgress(falling)).toEqual([]);
  });

  test("compares counts where no total is known", () => {
    expect(checkProgress([event({ progress: 7 }), event({ progress: 3 })])).toEqual([
      "codesmith fell from 7 to 3 at event 2",
    ]);
  });

  test("finds what comes after the end, and gaps", () => {
    expect(
      checkProgress([
        { t: "gap", reason: "reset" },
        { t: "gap", reason: "behind", missed: 3 },
        { t: "gap", reason: "dropped", lost: 2 },
        { t: "gap", reason: "dropped" },
        end,
        event({}),
        end,
      ]),
    ).toEqual([
      "the position was reset before event 1",
      "3 events were missed before event 2",
      "2 events were dropped before event 3",
      "some events were dropped before event 4",
      "codesmith came after the end at event 6",
      "session_end came after the end at event 7",
    ]);
  });

  test("takes entries as well as events", () => {
    const entries = [0.6, 0.4].map((pct, i) => ({ id: `1-${i + 1}`, event: event({ pct }) }));
    expect(checkProgress(entries)).toHaveLength(1);
  });
});
