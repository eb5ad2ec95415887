import { describe, expect, test } from "vitest";
import { createEventBus } from "session-progress";
import { collect } from "session-progress/testing";
import { describeEvent, positionsOf } from "../../support/events.ts";
import { recordDrops, recordErrors } from "../../support/hooks.ts";
import { recordEntries } from "../../support/session-entries.ts";
import { untyped } from "../../support/untyped.ts";

describe("the end of a session", () => {
  test("is the last entry, and listeners are let go", () => {
    const bus = createEventBus();
    const entries = recordEntries(bus, "s");
    bus.publish("s", { message: "1" });
    expect(bus.end("s", { status: "failed", message: "sorry", data: { code: 7 } })).toBe(true);
    expect(entries.map(describeEvent)).toEqual(["1", "end failed"]);
    const end = entries[1]!.event;
    expect(Object.entries(end)).toEqual([
      ["t", "session_end"],
      ["status", "failed"],
      ["msg", "sorry"],
      ["ts", expect.any(String)],
      ["data", { code: 7 }],
    ]);
    expect(end).toSatisfy(Object.isFrozen);
    expect(bus.stats().followers).toBe(0);
  });

  test("is won by the first", () => {
    const bus = createEventBus();
    const entries = recordEntries(bus, "s");
    const sink = bus.sink("s");
    expect(bus.end("s", { status: "cancelled" })).toBe(true);
    expect(bus.end("s", { status: "failed" })).toBe(false);
    void sink.end?.({ status: "failed" });
    void bus.sink("other").end?.({ status: "failed" });
    expect(entries.map(describeEvent)).toEqual(["end cancelled"]);
  });

  test("of a session that was only opened is its entry 1", async () => {
    const bus = createEventBus();
    await bus.open({ sessionId: "s" });
    expect(bus.end("s")).toBe(true);
    const entries = await collect(bus.follow("s"));
    expect(entries.map(describeEvent)).toEqual(["end completed"]);
    expect(positionsOf(entries)).toEqual([1]);
  });

  test("of a session that nobody has opened is `false`, and creates nothing", () => {
    const bus = createEventBus();
    const drops = recordDrops(bus);
    expect(bus.end("s")).toBe(false);
    expect(bus.stats()).toMatchObject({ sessions: 0, events: 0, bytes: 0 });
    const entries = recordEntries(bus, "s");
    expect(bus.end("s")).toBe(false);
    expect(bus.publish("s", { message: "1" })).toBe(true);
    expect(entries.map(describeEvent)).toEqual(["1"]);
    expect(drops).toEqual([]);
  });

  test("has publish refuse, without opening the session again", () => {
    const bus = createEventBus();
    const drops = recordDrops(bus);
    bus.publish("s", { message: "1" });
    bus.end("s");
    expect(bus.publish("s", {})).toBe(false);
    expect(drops).toEqual([["s", "ended"]]);
    expect(recordEntries(bus, "s").map(describeEvent)).toEqual(["1", "end completed"]);
  });

  test('is delivered to who subscribes with "now" afterwards', () => {
    const bus = createEventBus();
    bus.publish("s", {});
    bus.end("s");
    const heard: string[] = [];
    bus.subscribe("s", (entry) => void heard.push(describeEvent(entry)), { after: "now" });
    expect(heard).toEqual(["end completed"]);
    expect(bus.stats().followers).toBe(0);
  });

  test("comes before what a listener reports when it sees the end: that is too late", () => {
    const bus = createEventBus();
    const entries = recordEntries(bus, "s");
    const answers: boolean[] = [];
    bus.publish("s", {});
    bus.subscribe("s", () => void answers.push(bus.publish("s", { message: "too late" })), { after: "now" });
    bus.end("s");
    expect(answers).toEqual([false]);
    expect(entries.map(describeEvent)).toEqual(["", "end completed"]);
  });

  test.each([{ status: untyped("done") }, { status: untyped(null) }])("refuses %j", (options) => {
    const bus = createEventBus();
    expect(() => bus.end("s", options)).toThrow(
      /^Expected `status` to be "completed", "failed" or "cancelled"/,
    );
    expect(bus.stats().sessions).toBe(0);
  });

  test.each([false, true])("goes out without its bad parts (strict: %j)", (strict) => {
    const bus = createEventBus({ strict });
    const faults = recordErrors(bus);
    const entries = recordEntries(bus, "s");
    bus.reporter("s");
    bus.end("s", { message: untyped(42), data: 1n });
    expect(entries.map(describeEvent)).toEqual(["end completed"]);
    expect(entries[0]?.event).not.toHaveProperty("data");
    expect(faults.map(String)).toEqual([
      "TypeError: Expected `message` to be a string, got 42",
      "TypeError: Expected `data` to be JSON: Do not know how to serialize a BigInt",
    ]);
  });

  test("goes out cut when its message is too long", () => {
    const bus = createEventBus({ maxEventBytes: 1_024, strict: true });
    recordErrors(bus);
    const entries = recordEntries(bus, "s");
    bus.reporter("s");
    bus.end("s", { message: "x".repeat(5_000), data: "y".repeat(5_000) });
    const end = entries[0]!.event;
    expect(end).toMatchObject({ t: "session_end", msg: expect.stringMatching(/^x+…$/), cut: true });
    expect(JSON.stringify(end).length).toBeLessThanOrEqual(1_024);
  });
});
