import { describe, expect, test, vi } from "vitest";
import { createEventBus, type Outcome, type RunContext, type SessionEventBus } from "session-progress";
import { expectAllTold, followInEveryWay } from "../../support/every-follower.ts";
import { settled } from "../../support/event-loop.ts";
import { describeEvent, positionsOf } from "../../support/events.ts";
import { recordErrors } from "../../support/hooks.ts";
import { readEntries, recordEntries } from "../../support/session-entries.ts";

// A session may end under the runs that go on in it.

/** A run's function that goes on until its signal aborts. */
function untilAborted({ signal }: RunContext): Promise<void> {
  return new Promise((resolve) => {
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

type Ending = (bus: SessionEventBus) => unknown;

/** Who ends session `s`, and how it ends. */
const ENDINGS: [how: string, end: Ending, said: string][] = [
  ["bus.end", (bus) => bus.end("s"), "end completed"],
  ["bus.end as failed", (bus) => bus.end("s", { status: "failed", message: "why", data: [1] }), "end failed"],
  ["bus.end as cancelled", (bus) => bus.end("s", { status: "cancelled", message: "user" }), "end cancelled"],
  ["a reporter", (bus) => bus.reporter("s").end({ status: "failed" }), "end failed"],
  ["a sink", (bus) => bus.sink("s").end?.({ status: "completed" }), "end completed"],
  [
    "an event from outside",
    (bus) => bus.sink("s").event({ t: "session_end", status: "failed", ts: new Date().toISOString() }),
    "end failed",
  ],
  ["another run that is over", (bus) => bus.start(() => 1, { sessionId: "s" }).done, "end completed"],
  [
    "another run that fails",
    (bus) => bus.start(() => Promise.reject(new Error("other")), { sessionId: "s" }).done,
    "end failed",
  ],
  [
    "another run's reporter",
    (bus) => bus.start(({ reporter }) => reporter.end({ status: "cancelled" }), { sessionId: "s" }).done,
    "end cancelled",
  ],
  [
    "a listener",
    (bus) => {
      bus.subscribe("s", ({ event }) => {
        if ("msg" in event && event.msg === "stop") bus.end("s");
      });
      bus.publish("s", { message: "stop" });
    },
    "end completed",
  ],
];

describe("a run whose session is ended by", () => {
  test.each(ENDINGS)("%s is cancelled, whatever that end says", async (_how, end) => {
    const bus = createEventBus();
    const faults = recordErrors(bus);
    const runs = [true, false, true].map((keepOpen) => {
      const signals: AbortSignal[] = [];
      const { done } = bus.start(
        (context) => {
          signals.push(context.signal);
          return untilAborted(context);
        },
        { sessionId: "s", keepOpen },
      );
      return { done, signals };
    });
    await end(bus);
    for (const { done, signals } of runs) {
      expect(await done).toEqual({ status: "cancelled" });
      expect(signals[0]?.aborted).toBe(true);
    }
    expect(faults).toEqual([]);
  });

  test.each(ENDINGS)("%s has its run_end before the session's end", async (_how, end, said) => {
    const bus = createEventBus();
    const witnesses = await followInEveryWay(bus, "s");
    const runs = Array.from({ length: 3 }, () => bus.start(untilAborted, { sessionId: "s", keepOpen: true }));
    bus.start(untilAborted, { sessionId: "s" });
    await end(bus);
    const entries = readEntries(bus, "s").filter(({ event }) => event.t !== "agent_event");
    expect(entries.map(describeEvent)).toEqual(["run cancelled", "run cancelled", "run cancelled", said]);
    expect(entries.slice(0, 3).map(({ event }) => event)).toEqual(
      runs.map(({ run }) => ({ t: "run_end", run, status: "cancelled", ts: expect.any(String) })),
    );
    const all = readEntries(bus, "s");
    expect(positionsOf(all)).toEqual(all.map((_, n) => n + 1));
    await expectAllTold(witnesses, all.map(describeEvent));
  });
});

describe("a run that is cancelled", () => {
  test("reports no more, and what it throws or returns then is nobody's matter", async () => {
    const bus = createEventBus();
    const faults = recordErrors(bus);
    const result = vi.fn();
    let late: boolean | undefined;
    const throws = bus.start(
      async (context) => {
        await untilAborted(context);
        late = context.reporter.report({ message: "late" });
        throw new Error("aborted");
      },
      { sessionId: "s", keepOpen: true },
    );
    const returns = bus.start(untilAborted, { sessionId: "s", keepOpen: true, result });
    bus.end("s");
    expect(await Promise.all([throws.done, returns.done])).toEqual(Array(2).fill({ status: "cancelled" }));
    await settled();
    expect(late).toBe(false);
    expect(result).not.toHaveBeenCalled();
    expect(readEntries(bus, "s").map(describeEvent)).toEqual([
      "run cancelled",
      "run cancelled",
      "end completed",
    ]);
    expect(faults).toEqual([]);
  });

  test("is so also when it ends the session itself, past its own reporter", async () => {
    const bus = createEventBus();
    const outcomes: Outcome[] = [];
    for (const keepOpen of [true, false]) {
      const { done } = bus.start(({ sessionId }) => bus.end(sessionId, { status: "failed" }), {
        keepOpen,
      });
      outcomes.push(await done);
    }
    expect(outcomes).toEqual(Array(2).fill({ status: "cancelled" }));
  });

  test("is not cancelled when it is over before the end", async () => {
    const bus = createEventBus();
    const { run, done } = bus.start(() => 1, { sessionId: "s", keepOpen: true });
    await done;
    bus.end("s", { status: "cancelled" });
    expect(await done).toEqual({ status: "completed" });
    const entries = recordEntries(bus, "s");
    expect(entries.map(describeEvent)).toEqual(["run completed", "end cancelled"]);
    expect(entries[0]?.event).toMatchObject({ run });
  });

  test("has its run_end also where no event has room any more", async () => {
    const bus = createEventBus({ maxSessions: 1, history: { maxTotalBytes: 4_096, maxBytes: 4_096 } });
    recordErrors(bus);
    const { done } = bus.start(untilAborted, { sessionId: "s", keepOpen: true });
    bus.subscribe("busy", () => undefined);
    for (let n = 0; n < 20; n++) bus.publish("busy", { message: "x".repeat(1_000) });
    const entries = recordEntries(bus, "s");
    bus.end("s", { status: "failed" });
    expect(await done).toEqual({ status: "cancelled" });
    expect(entries.map(describeEvent).filter((word) => !word.startsWith("gap"))).toEqual([
      "run cancelled",
      "end failed",
    ]);
  });

  test("is cancelled once, and its run_end is written once, when a hook ends the session again", async () => {
    const bus = createEventBus();
    bus.on("event", (id) => bus.end(id, { status: "failed" }));
    const runs = [1, 2].map(() => bus.start(untilAborted, { sessionId: "s", keepOpen: true }));
    bus.end("s", { status: "completed" });
    for (const { done } of runs) expect(await done).toEqual({ status: "cancelled" });
    expect(readEntries(bus, "s").map(describeEvent)).toEqual([
      "run cancelled",
      "run cancelled",
      "end completed",
    ]);
  });
});
