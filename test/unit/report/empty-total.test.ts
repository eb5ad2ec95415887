import { describe, expect, test } from "vitest";
import { createEventBus, createReporter, type ProgressReport } from "session-progress";
import { createRecorder } from "session-progress/testing";
import { asAgentEvent } from "../../support/events.ts";
import { recordErrors } from "../../support/hooks.ts";
import { recordEntries } from "../../support/session-entries.ts";

// A list may be empty: 0 of 0 are done. That is no fault, and no fraction either.

describe("a report of 0 of 0", () => {
  test.each<[string, ProgressReport]>([
    ["progress: 0, total: 0", { progress: 0, total: 0 }],
    ["progress: -0, total: 0", { progress: -0, total: 0 }],
    ["progress: 0, total: -0", { progress: 0, total: -0 }],
  ])("(%s) is no fault and has no pct, strict or not", (_what, report) => {
    for (const strict of [false, true]) {
      const bus = createEventBus({ strict });
      const faults = recordErrors(bus);
      const entries = recordEntries(bus, "s");
      expect(bus.publish("s", { message: "empty", ...report })).toBe(true);
      expect(bus.reporter("s").report({ message: "empty", ...report })).toBe(true);
      expect(faults).toEqual([]);
      for (const entry of entries) {
        expect(asAgentEvent(entry)).not.toHaveProperty("pct");
        expect(asAgentEvent(entry).msg).toBe("empty");
        expect(JSON.stringify(entry.event)).not.toContain("null");
      }
    }
  });

  test("throws in no recorder", () => {
    const recorder = createRecorder();
    const list: string[] = [];
    createReporter(recorder).report({ progress: list.length, total: list.length });
    expect(recorder.events).toHaveLength(1);
  });

  test.each<ProgressReport>([
    { progress: 1, total: 0 },
    { progress: 0.5, total: 0 },
    { progress: 0, total: -1 },
    { progress: 0, total: NaN },
  ])("does not excuse %o", (report) => {
    const bus = createEventBus();
    const faults = recordErrors(bus);
    bus.publish("s", report);
    expect(faults).toHaveLength(1);
    expect(faults[0]?.message).toMatch(/^Expected `total`/);
  });
});
