import { setImmediate as turn } from "node:timers/promises";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { createEventBus, createReporter, reportProgress, type SessionEventBus } from "session-progress";
import { expectAllTold, followInEveryWay } from "../../support/every-follower.ts";
import { describeEvent } from "../../support/events.ts";
import { recordErrors } from "../../support/hooks.ts";
import { readEntries } from "../../support/session-entries.ts";
import { nested } from "../../support/hostile-values.ts";
import { withStackLeft } from "../../support/stack-end.ts";

// JSON of nested data takes stack where it is made, and where it is read. How much there is depends on who calls.

const LEVELS = [100, 1_000, 2_000, 2_500, 3_000, 3_500, 4_000, 5_000, 8_000, 100_000];

const ts = "2026-11-22T08:37:06.927Z";

/** Reports with data: whether it was taken. */
const REPORTS: Record<string, (bus: SessionEventBus, data: unknown) => boolean | void> = {
  publish: (bus, data) => bus.publish("s", { message: "deep", data }),
  "reporter.report": (bus, data) => bus.reporter("s").report({ message: "deep", data }),
  reportProgress: (bus, data) => bus.reporter("s").run(() => reportProgress({ message: "deep", data })),
  "a tee": (bus, data) => createReporter(() => undefined, bus.sink("s")).report({ message: "deep", data }),
  "sink.event": (bus, data) =>
    bus.sink("s").event({ t: "agent_event", agent: "a", phase: "think", msg: "deep", ts, data }),
};

/** Ends with data. */
const ENDS: Record<string, (bus: SessionEventBus, data: unknown) => unknown> = {
  "bus.end": (bus, data) => bus.end("s", { status: "failed", data }),
  "reporter.end": (bus, data) => bus.reporter("s").end({ status: "failed", data }),
  "sink.end": (bus, data) => bus.sink("s").end?.({ status: "failed", data }),
  result: (bus, data) => bus.start(() => 1, { sessionId: "s", result: () => data }).done,
};

/** Where it is called: with all of the stack, half of it, or a tenth, which is plenty for anything but data. */
const PLACES: Record<string, (action: () => unknown) => void> = {
  "at the top": (action) => void action(),
  "half-way down": (action) => withStackLeft(0.5, action),
  "deep in the stack": (action) => withStackLeft(0.1, action),
};

const CASES = Object.keys(PLACES).flatMap((place) => LEVELS.map((levels) => ({ place, levels })));

beforeEach(() => {
  vi.spyOn(process, "emitWarning").mockReturnValue(undefined);
});

describe.each(Object.entries(REPORTS))("%s with data nested", (_how, report) => {
  test.each(CASES)("$levels deep, $place, throws nothing and hurts nobody", async ({ place, levels }) => {
    const bus = createEventBus();
    const faults = recordErrors(bus);
    const witnesses = await followInEveryWay(bus, "s");
    const others = await followInEveryWay(bus, "other");
    let data: unknown = [];
    let answer: unknown;
    const action = (): void => {
      answer = undefined;
      answer = report(bus, data);
    };
    PLACES[place]!(action);
    PLACES[place]!(action);
    data = nested(levels);
    PLACES[place]!(action);
    expect(answer).toBeTypeOf("boolean");
    for (const id of ["s", "other"]) bus.publish(id, { message: "after" });
    for (const id of ["s", "other"]) bus.end(id);
    await expectAllTold(others, ["after", "end completed"]);
    await expectAllTold(witnesses, readEntries(bus, "s").map(describeEvent));
    const taken = readEntries(bus, "s").filter((entry) => describeEvent(entry) === "deep");
    expect(taken).toHaveLength(answer === true ? 3 : 2);
    // It is in the event, or it is told that it is not.
    const kept = taken[2] !== undefined && "data" in taken[2].event;
    expect(faults).toHaveLength(kept ? 0 : 1);
  });
});

describe.each(Object.entries(ENDS))("%s with data nested", (_how, end) => {
  test.each(CASES)(
    "$levels deep, $place, ends the session for all, and its runs",
    async ({ place, levels }) => {
      const bus = createEventBus();
      const faults = recordErrors(bus);
      const witnesses = await followInEveryWay(bus, "s");
      const run = bus.start(
        ({ signal }) => new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve())),
        { sessionId: "s", keepOpen: true },
      );
      const data = nested(levels);
      let threw: unknown;
      let ending: unknown;
      const action = (): void => {
        try {
          ending = end(bus, data);
        } catch (thrown) {
          threw = thrown;
        }
      };
      PLACES[place]!(action);
      await ending;
      expect(threw).toBeUndefined();
      const said = readEntries(bus, "s").map(describeEvent);
      expect(said.at(-1)).toMatch(/^end (failed|completed)$/);
      await expectAllTold(witnesses, said);
      await run.done;
      const last = readEntries(bus, "s").at(-1)!.event;
      expect(faults).toHaveLength("data" in last ? 0 : 1);
      expect(bus.publish("s", {})).toBe(false);
    },
  );
});

describe("what was taken with all of the stack", () => {
  test.each([0, 1_000, 2_000, 3_000, 4_000])(
    "(data nested %i deep) reaches all, when the next reports come from deep in the stack",
    async (levels) => {
      const bus = createEventBus({ history: { maxEvents: 10 } });
      recordErrors(bus);
      const witnesses = await followInEveryWay(bus, "s");
      const others = await followInEveryWay(bus, "other");
      await bus.open({ sessionId: "other" });
      const report = (): void => {
        bus.publish("s", { message: "later" });
      };
      report();
      await turn();
      withStackLeft(0.1, report);
      bus.publish("s", { message: "nested", data: nested(levels) });
      // Over half the history: followers are offered it early, inside a report.
      for (let n = 0; n < 6; n++) withStackLeft(0.1, report);
      for (const id of ["s", "other"]) bus.end(id);
      await expectAllTold(others, ["end completed"]);
      const said = ["later", "later", "nested", ...Array<string>(6).fill("later"), "end completed"];
      await expectAllTold(witnesses, said);
    },
  );
});
