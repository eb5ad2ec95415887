import { describe, expect, test, vi } from "vitest";
import { createEventBus, type SessionEventBus } from "session-progress";
import { describeEvent } from "../../support/events.ts";
import { readEntries, recordEntries } from "../../support/session-entries.ts";

describe("bus.end answers whether it ended the session:", () => {
  test.each<[string, (bus: SessionEventBus) => unknown]>([
    ["by publish", (bus) => bus.publish("s", {})],
    ["by a reporter", (bus) => bus.reporter("s")],
    ["by a sink", (bus) => bus.sink("s")],
    ["by a run", (bus) => bus.start(() => 1, { sessionId: "s", keepOpen: true })],
    ["by withSession", (bus) => bus.withSession("s", () => 1)],
    ["by open", (bus) => bus.open({ sessionId: "s" })],
  ])("true for one that was opened %s, false the next time", (_how, open) => {
    const bus = createEventBus();
    open(bus);
    expect(bus.end("s", { status: "failed" })).toBe(true);
    expect(bus.end("s")).toBe(false);
    expect(bus.end("s", { status: "failed" })).toBe(false);
    expect(readEntries(bus, "s").map(describeEvent).at(-1)).toBe("end failed");
  });

  test("true for one of which only epoch and head are left", () => {
    const bus = createEventBus({ maxSessions: 1 });
    bus.publish("s", {});
    bus.publish("x", {});
    expect(readEntries(bus, "s").map(describeEvent)).toEqual(["gap behind 1"]);
    expect(bus.end("s")).toBe(true);
    expect(readEntries(bus, "s").map(describeEvent)).toEqual(["gap behind 1", "end completed"]);
  });

  test("false for one that nobody knows, and creates nothing", () => {
    const bus = createEventBus();
    const [ends, events, drops] = [vi.fn(), vi.fn(), vi.fn()];
    bus.on("end", ends);
    bus.on("event", events);
    bus.on("drop", drops);
    for (let n = 0; n < 100; n++) expect(bus.end(`s-${n}`, { data: "x".repeat(1_000) })).toBe(false);
    expect(bus.stats()).toMatchObject({ sessions: 0, events: 0, bytes: 0 });
    expect(readEntries(bus, "s-0")).toEqual([]);
    for (const hook of [ends, events, drops]) expect(hook).not.toHaveBeenCalled();
  });

  test("false for one that is only followed: its followers wait on, for who opens it", () => {
    const bus = createEventBus();
    const entries = recordEntries(bus, "s");
    expect(bus.end("s")).toBe(false);
    expect(entries).toEqual([]);
    expect(bus.publish("s", { message: "1" })).toBe(true);
    expect(bus.end("s")).toBe(true);
    expect(entries.map(describeEvent)).toEqual(["1", "end completed"]);
  });

  test("false when the bus is closed", async () => {
    const bus = createEventBus();
    bus.publish("s", {});
    await bus.close();
    expect(bus.end("s")).toBe(false);
  });

  test("refuses a malformed status, also where it would end nothing", () => {
    const bus = createEventBus();
    expect(() => bus.end("unknown", { status: "done" as never })).toThrow(/^Expected `status`/);
  });
});

describe("followers that name no place", () => {
  test("begin at the start, all of them", () => {
    const bus = createEventBus();
    for (const message of ["1", "2"]) bus.publish("s", { message });
    const heard: string[] = [];
    bus.subscribe("s", (entry) => void heard.push(describeEvent(entry)));
    expect(heard).toEqual(["1", "2"]);
    bus.publish("s", { message: "3" });
    bus.end("s");
    expect(heard).toEqual(["1", "2", "3", "end completed"]);
    const again: string[] = [];
    bus.subscribe("s", (entry) => void again.push(describeEvent(entry)), {});
    bus.subscribe("s", (entry) => void again.push(describeEvent(entry)), { after: undefined });
    expect(again).toEqual([...heard, ...heard]);
  });

  test('hear what comes next when they say "now", and the end of what has ended', () => {
    const bus = createEventBus();
    bus.publish("s", { message: "1" });
    const heard: string[] = [];
    bus.subscribe("s", (entry) => void heard.push(describeEvent(entry)), { after: "now" });
    expect(heard).toEqual([]);
    bus.publish("s", { message: "2" });
    bus.end("s");
    expect(heard).toEqual(["2", "end completed"]);
    const late: string[] = [];
    bus.subscribe("s", (entry) => void late.push(describeEvent(entry)), { after: "now" });
    expect(late).toEqual(["end completed"]);
  });
});
