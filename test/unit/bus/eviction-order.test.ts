import { describe, expect, test } from "vitest";
import { createEventBus, type SessionEventBus } from "session-progress";
import { sseHandler } from "session-progress/fetch";
import { settled } from "../../support/event-loop.ts";
import { describeEvent } from "../../support/events.ts";
import { recordDrops } from "../../support/hooks.ts";
import { readEntries, recordEntries } from "../../support/session-entries.ts";

const KIB = 1 << 10;
const MIB = 1 << 20;

/** Reports about `bytes` to `id`, 2 KiB at a time. */
function fill(bus: SessionEventBus, id: string, bytes: number): number {
  const count = Math.ceil(bytes / (2 * KIB));
  let taken = 0;
  for (let n = 0; n < count; n++) if (bus.publish(id, { message: `${id} ${n} `.padEnd(2 * KIB) })) taken++;
  return taken;
}

/** What a late follower of `id` still reads: events, not gaps. */
function kept(bus: SessionEventBus, id: string): number {
  return readEntries(bus, id).filter(({ event }) => event.t !== "gap").length;
}

describe("where bytes are short go", () => {
  test("first the logs of ended sessions, the oldest end first", () => {
    const bus = createEventBus({ history: { maxTotalBytes: 2 * MIB } });
    const drops = recordDrops(bus);
    for (const id of ["idle", "ended-1", "ended-2", "followed"]) fill(bus, id, 400 * KIB);
    bus.subscribe("followed", () => undefined);
    // The order of ends counts, not that of reports.
    bus.end("ended-2");
    bus.end("ended-1");
    const whole = ["idle", "followed"].map((id) => kept(bus, id));
    fill(bus, "new", 500 * KIB);
    expect(kept(bus, "ended-2")).toBe(1);
    expect(kept(bus, "ended-1")).toBeGreaterThan(100);
    fill(bus, "new", 400 * KIB);
    expect(kept(bus, "ended-1")).toBe(1);
    expect(["idle", "followed"].map((id) => kept(bus, id))).toEqual(whole);
    expect(drops).toEqual([]);
  });

  // Who looks at a session follows it for a moment, so each case looks once, at the end.
  test.each([
    [500, ["b"]],
    [900, ["b", "c"]],
    [1_300, ["b", "c", "a"]],
  ])(
    "then those of idle sessions that nobody follows, least recently reported to first (%i KiB)",
    (more, gone) => {
      const bus = createEventBus({ history: { maxTotalBytes: 2 * MIB } });
      const drops = recordDrops(bus);
      const ids = ["a", "b", "c", "followed"];
      for (const id of ids) fill(bus, id, 400 * KIB);
      bus.subscribe("followed", () => undefined);
      bus.publish("a", { message: "used again" });
      fill(bus, "new", more * KIB);
      expect(ids.filter((id) => kept(bus, id) === 0).sort()).toEqual([...gone].sort());
      expect(drops).toEqual([]);
    },
  );

  test("then of the largest logs what was offered, down to 256 KiB each: nobody who keeps up misses anything", async () => {
    const bus = createEventBus({ history: { maxTotalBytes: 3 * MIB } });
    const drops = recordDrops(bus);
    const listened = recordEntries(bus, "large");
    const streamed = (await sseHandler(bus)(new Request("http://localhost/?session_id=large"))).text();
    bus.subscribe("small", () => undefined);
    bus.subscribe("new", () => undefined);
    fill(bus, "small", 200 * KIB);
    const small = kept(bus, "small");
    for (let n = 0; n < 10; n++) {
      fill(bus, "large", 200 * KIB);
      await settled();
    }
    const large = kept(bus, "large");
    for (let n = 0; n < 10; n++) {
      fill(bus, "new", 200 * KIB);
      await settled();
    }
    expect(drops).toEqual([]);
    expect(bus.stats().bytes).toBeLessThanOrEqual(3 * MIB);
    expect(kept(bus, "large")).toBeLessThan(large);
    expect(kept(bus, "large")).toBeGreaterThanOrEqual((256 * KIB) / (3 * KIB));
    expect(kept(bus, "small")).toBe(small);
    const gapsOf = (id: string): number =>
      readEntries(bus, id).filter(({ event }) => event.t === "gap").length;
    expect(gapsOf("small")).toBe(0);
    // Whoever comes late is told how much is gone; whoever was there has it.
    expect(describeEvent(readEntries(bus, "large")[0]!)).toMatch(/^gap behind \d+$/);
    bus.end("large");
    expect(listened.filter(({ event }) => event.t === "gap")).toEqual([]);
    expect(listened).toHaveLength(1_001);
    const events = (await streamed).match(/^event: .*$/gm)!;
    expect(events.filter((event) => event === "event: gap")).toEqual([]);
    expect(events.filter((event) => event === "event: agent")).toHaveLength(1_000);
    await bus.close();
  });

  test("only when every log is down to that, reports are dropped", async () => {
    const bus = createEventBus({ history: { maxTotalBytes: 2 * MIB } });
    const drops = recordDrops(bus);
    const ids = Array.from({ length: 12 }, (_, n) => `s-${n}`);
    for (const id of ids) bus.subscribe(id, () => undefined);
    // Eight logs of 256 KiB are all that fits.
    for (let round = 0; round < 10; round++) {
      for (const id of ids) fill(bus, id, 50 * KIB);
      await settled();
    }
    expect(bus.stats().bytes).toBeLessThanOrEqual(2 * MIB);
    const sizes = ids.map((id) => kept(bus, id) * 2 * KIB);
    if (drops.length > 0) expect(Math.max(...sizes)).toBeLessThanOrEqual(300 * KIB);
    expect(drops.every(([, reason]) => reason === "full")).toBe(true);
    // A session that is full itself goes on at the cost of its own past.
    expect(fill(bus, "s-0", 50 * KIB)).toBeGreaterThan(0);
    await bus.close();
  });
});

describe("where sessions are too many go", () => {
  test.each([
    [1, []],
    [2, ["b"]],
    [3, ["b", "c"]],
    [4, ["b", "c", "a"]],
  ])("ended ones first, then the least recently used that nobody follows (%i more)", (more, gone) => {
    const bus = createEventBus({ maxSessions: 5 });
    const drops = recordDrops(bus);
    const ids = ["followed", "a", "b", "ended", "c"];
    for (const id of ids) bus.publish(id, { message: id });
    bus.subscribe("followed", () => undefined);
    bus.end("ended");
    bus.publish("a", { message: "used again" });
    for (let n = 0; n < more; n++) bus.publish(`new-${n}`, {});
    expect(ids.filter((id) => kept(bus, id) === 0).sort()).toEqual([...gone].sort());
    expect(readEntries(bus, "ended").map(describeEvent)).toEqual(["gap behind 1", "end completed"]);
    expect(drops).toEqual([]);
    expect(bus.stats().sessions).toBe(5);
  });
});
