import { describe, expect, test } from "vitest";
import { createEventBus } from "session-progress";
import { asAgentEvent } from "../../support/events.ts";
import { recordErrors } from "../../support/hooks.ts";
import { recordEntries } from "../../support/session-entries.ts";

describe("a long message", () => {
  test("of 2 MiB is cut so that the event fits, and ends in an ellipsis", () => {
    const bus = createEventBus();
    const faults = recordErrors(bus);
    const entries = recordEntries(bus, "s");
    expect(bus.publish("s", { message: "x".repeat(2 << 20), progress: 0.5 })).toBe(true);
    const event = asAgentEvent(entries[0]);
    const size = Buffer.byteLength(JSON.stringify(event));
    expect(size).toBeLessThanOrEqual(1 << 20);
    expect(size).toBeGreaterThan(1_000_000);
    expect(event.msg).toMatch(/^x+…$/);
    expect(event.cut).toBe(true);
    expect(event.pct).toBe(0.5);
    expect(faults.map(({ message }) => message)).toEqual([
      "Expected `message` to fit an event of 1048576 bytes, got 2097152 characters",
    ]);
  });

  test("is refused when the bus is strict", () => {
    const bus = createEventBus({ strict: true });
    const entries = recordEntries(bus, "s");
    expect(() => bus.publish("s", { message: "x".repeat(2 << 20) })).toThrow(TypeError);
    expect(entries).toEqual([]);
  });

  test.each([
    ["quotes", '"'],
    ["control characters", "\u0001"],
    ["Euro signs", "€"],
    ["emoji", "🐢"],
    ["lone surrogates", "\uD83D"],
  ])("of %s fits however JSON escapes it, and no character is cut in two", (_what, character) => {
    const bus = createEventBus({ maxEventBytes: 2_048 });
    recordErrors(bus);
    const entries = recordEntries(bus, "s");
    bus.publish("s", { message: `.${character.repeat(3_000)}` });
    const event = asAgentEvent(entries[0]);
    expect(Buffer.byteLength(JSON.stringify(event))).toBeLessThanOrEqual(2_048);
    expect(event.msg.length).toBeGreaterThan(100);
    if (character === "🐢") expect(event.msg).not.toMatch(/\p{Surrogate}/u);
  });

  test("is cut before data that fits is dropped", () => {
    const bus = createEventBus({ maxEventBytes: 2_048 });
    recordErrors(bus);
    const entries = recordEntries(bus, "s");
    bus.publish("s", { message: "x".repeat(4_000), data: { file: "a.ts" } });
    const event = asAgentEvent(entries[0]);
    expect(event.data).toEqual({ file: "a.ts" });
    expect(event.msg).toMatch(/^x{500,}…$/);
    expect(Buffer.byteLength(JSON.stringify(event))).toBeLessThanOrEqual(2_048);
  });

  test("keeps the order of the fields, and says `cut` before data", () => {
    const bus = createEventBus({ maxEventBytes: 2_048 });
    recordErrors(bus);
    const entries = recordEntries(bus, "s");
    bus.publish("s", { message: "x".repeat(4_000), progress: 1, total: 2, data: 1 });
    expect(Object.keys(asAgentEvent(entries[0]))).toEqual([
      ..."t agent phase msg pct ts progress total cut data".split(" "),
    ]);
  });
});

describe.each([1_024, 2_048, 1 << 20])("an event of another process, at most %i bytes", (maxEventBytes) => {
  const ts = "\u0001".repeat(64);
  const wide = (length: number): string => "\u0001".repeat(length);
  const msg = (share: number): string => wide(Math.floor((maxEventBytes * share) / 6));

  test.each([0, 0.1, 0.3, 0.5, 0.8, 0.9, 1])(
    "with names that JSON makes longer and a message of %d fits",
    (share) => {
      const bus = createEventBus({ maxEventBytes });
      recordErrors(bus);
      const entries = recordEntries(bus, "s");
      const sink = bus.sink("s");
      for (const length of [10, 60, 100, 256]) {
        const names = { run: wide(length), task: wide(length) };
        sink.event({ t: "agent_event", agent: wide(length), phase: "think", msg: msg(share), ts, ...names });
        sink.event({ t: "run_end", run: wide(length), status: "failed", msg: msg(share), ts });
      }
      expect(entries.length).toBeGreaterThan(0);
      for (const { event } of entries) {
        expect(Buffer.byteLength(JSON.stringify(event))).toBeLessThanOrEqual(maxEventBytes);
      }
    },
  );
});
