import { describe, expect, test } from "vitest";
import { createEventBus } from "session-progress";
import { readEntries } from "../../support/session-entries.ts";
import { recordErrors } from "../../support/hooks.ts";

const MIB = 1 << 20;

/** How many events of a session stay when `count` are reported, each with this message. */
function retained(count: number, message = ""): { events: number; bytes: number } {
  const bus = createEventBus();
  recordErrors(bus);
  for (let n = 0; n < count; n++) bus.publish("s", { message: `${n}${message}` });
  const events = readEntries(bus, "s").filter(({ event }) => event.t !== "gap").length;
  return { events, bytes: bus.stats().bytes };
}

describe("a bus without options keeps", () => {
  test("10,000 events of a session", () => {
    expect(retained(9_999).events).toBe(9_999);
    expect(retained(12_000).events).toBe(10_000);
  });

  test("8 MiB of a session", () => {
    const { events, bytes } = retained(100, "x".repeat(200_000));
    expect(bytes).toBeLessThanOrEqual(8 * MIB + 1_024);
    expect(bytes).toBeGreaterThan(7.5 * MIB);
    expect(events).toBeGreaterThan(35);
  });

  test("256 MiB in total", () => {
    const bus = createEventBus();
    const data = "x".repeat(1_000_000);
    let highest = 0;
    for (let n = 0; n < 300; n++) {
      bus.publish(`s-${n >> 2}`, { data });
      highest = Math.max(highest, bus.stats().bytes);
    }
    expect(highest).toBeLessThanOrEqual(256 * MIB);
    expect(highest).toBeGreaterThan(250 * MIB);
  });

  test("events of up to 1 MiB, and cuts longer ones", () => {
    const bus = createEventBus();
    const faults = recordErrors(bus);
    expect(bus.publish("s", { data: "x".repeat(MIB - 1_000) })).toBe(true);
    expect(faults).toEqual([]);
    bus.publish("s", { message: "x".repeat(2 * MIB) });
    expect(faults).toHaveLength(1);
    const last = readEntries(bus, "s").at(-1)!.event as { cut?: boolean };
    const length = Buffer.byteLength(JSON.stringify(last));
    expect(length).toBeLessThanOrEqual(MIB);
    expect(length).toBeGreaterThan(MIB - 1_024);
    expect(last.cut).toBe(true);
  });

  test.each([
    [{ history: { maxBytes: 4_096 } }, 4_096],
    [{ history: { maxTotalBytes: 4_096 } }, 4_096],
    [{ history: { maxBytes: 100_000, maxTotalBytes: 4_096 } }, 4_096],
  ])("with %o, no longer events than that has room for", (options, most) => {
    const bus = createEventBus(options);
    recordErrors(bus);
    bus.publish("s", { message: "x".repeat(10_000) });
    for (const { event } of readEntries(bus, "s")) {
      expect(Buffer.byteLength(JSON.stringify(event))).toBeLessThanOrEqual(most);
    }
  });
});
