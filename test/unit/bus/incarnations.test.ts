import { describe, expect, test, vi } from "vitest";
import {
  createEventBus,
  createReporter,
  reportProgress,
  type SessionEventBus,
  withAgent,
} from "session-progress";
import { collect } from "session-progress/testing";
import { describeEvent, epochOf, positionsOf } from "../../support/events.ts";
import { recordDrops } from "../../support/hooks.ts";
import { recordEntries } from "../../support/session-entries.ts";

describe("a session id used again after its end", () => {
  const begin: [string, (bus: SessionEventBus) => unknown][] = [
    [
      "open",
      (bus) => {
        void bus.open({ sessionId: "s" });
        bus.publish("s", { message: "new" });
      },
    ],
    [
      "start",
      (bus) =>
        bus.start(({ reporter }) => reporter.report({ message: "new" }), { sessionId: "s", keepOpen: true }),
    ],
  ];

  test.each(begin)("begins anew by %s, with a larger epoch", (_how, again) => {
    const bus = createEventBus();
    bus.publish("s", { message: "old" });
    bus.end("s");
    const [old] = recordEntries(bus, "s");
    again(bus);
    const entries = recordEntries(bus, "s");
    expect(describeEvent(entries[0]!)).toBe("new");
    expect(positionsOf(entries)[0]).toBe(1);
    expect(epochOf(entries[0]) > epochOf(old)).toBe(true);
  });

  const late: [string, (bus: SessionEventBus) => boolean][] = [
    ["publish", (bus) => bus.publish("s", { message: "late" })],
    ["reporter", (bus) => bus.reporter("s").report({ message: "late" })],
    ["withSession", (bus) => bus.withSession("s", () => reportProgress({ message: "late" }))],
    ["sink", (bus) => createReporter(bus.sink("s")).report({ message: "late" })],
  ];

  test.each(late)(
    "does not begin anew by %s: what is late is refused, and makes no session",
    (_how, report) => {
      const bus = createEventBus();
      const drops = recordDrops(bus);
      bus.publish("s", { message: "old" });
      bus.end("s");
      const { epoch } = bus.reporter("s");
      expect(report(bus)).toBe(false);
      expect(drops).toEqual([["s", "ended"]]);
      expect(recordEntries(bus, "s").map(describeEvent)).toEqual(["old", "end completed"]);
      expect(bus.reporter("s").epoch).toBe(epoch);
    },
  );

  test("has a larger epoch even when the clock goes back", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    try {
      const bus = createEventBus();
      const first = BigInt(bus.reporter("s").epoch!);
      bus.end("s");
      vi.setSystemTime(Date.now() - 60_000);
      await bus.open({ sessionId: "s" });
      expect(BigInt(bus.reporter("s").epoch!) > first).toBe(true);
    } finally {
      vi.useRealTimers();
    }
  });

  test("refuses a reporter of the ended incarnation for ever", async () => {
    const bus = createEventBus();
    const drops = recordDrops(bus);
    const kept = bus.reporter("s");
    const sink = createReporter(bus.sink("s"));
    bus.end("s");
    bus.publish("s", {});
    await bus.open({ sessionId: "s" });
    const entries = recordEntries(bus, "s");
    expect(kept.report({})).toBe(false);
    expect(kept.run(() => withAgent("a", () => reportProgress({})))).toBe(false);
    expect(sink.report({})).toBe(false);
    await kept.end({ status: "failed" });
    expect(entries).toEqual([]);
    expect(bus.publish("s", {})).toBe(true);
    expect(drops).toEqual(Array(4).fill(["s", "ended"]));
  });

  test("leaves followers of the old incarnation at its end", async () => {
    const bus = createEventBus();
    const old: string[] = [];
    bus.subscribe("s", (entry) => void old.push(describeEvent(entry)));
    const following = collect(bus.follow("s"));
    bus.publish("s", { message: "1" });
    bus.end("s");
    bus.start(() => reportProgress({ message: "new" }), { sessionId: "s" });
    expect(old).toEqual(["1", "end completed"]);
    expect((await following).map(describeEvent)).toEqual(["1", "end completed"]);
  });

  test("resets who comes back with an id of the old incarnation", () => {
    const bus = createEventBus();
    bus.publish("s", {});
    bus.end("s");
    const after = recordEntries(bus, "s")[0]!.id;
    bus.start(() => reportProgress({ message: "new" }), { sessionId: "s", keepOpen: true });
    const heard: string[] = [];
    bus.subscribe("s", (entry) => void heard.push(describeEvent(entry)), { after });
    expect(heard).toEqual(["gap reset", "new"]);
  });
});

describe("bus.reporter with an epoch", () => {
  test("reports to this incarnation only", async () => {
    const bus = createEventBus();
    const { epoch } = bus.reporter("s");
    const entries = recordEntries(bus, "s");
    expect(bus.reporter("s", { epoch }).report({ message: "same" })).toBe(true);
    bus.end("s");
    bus.publish("s", {});
    await bus.open({ sessionId: "s" });
    bus.reporter("s").report({ message: "next" });
    expect(bus.reporter("s", { epoch }).report({ message: "late" })).toBe(false);
    expect(bus.reporter("s", { epoch }).epoch).toBe(epoch);
    expect(entries.map(describeEvent)).toEqual(["same", "end completed"]);
    expect(recordEntries(bus, "s").map(describeEvent)).toEqual(["next"]);
  });

  test.each(["1", "0", "no epoch"])("refuses for a session nobody has opened (%s)", (epoch) => {
    const bus = createEventBus();
    const entries = recordEntries(bus, "s");
    expect(bus.reporter("s", { epoch }).report({})).toBe(false);
    expect(entries).toEqual([]);
    expect(bus.stats().sessions).toBe(0);
  });
});
