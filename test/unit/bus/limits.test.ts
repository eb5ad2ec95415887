import { describe, expect, test } from "vitest";
import { createEventBus, reportProgress, type SessionEventBus } from "session-progress";
import { sseHandler } from "session-progress/fetch";
import { deferred } from "../../support/deferred.ts";
import { describeEvent, epochOf, positionsOf } from "../../support/events.ts";
import { eventually } from "../../support/eventually.ts";
import { recordDrops } from "../../support/hooks.ts";
import { readEntries, recordEntries } from "../../support/session-entries.ts";

describe("maxSessions", () => {
  test("evicts ended sessions first: their tombstones still know the end", () => {
    const bus = createEventBus({ maxSessions: 3 });
    const drops = recordDrops(bus);
    bus.publish("open", { message: "kept" });
    bus.publish("ended", { message: "gone" });
    bus.end("ended", { status: "failed", message: "why" });
    bus.publish("newer", { message: "kept" });
    bus.publish("one-more", {});
    expect(bus.stats().sessions).toBeLessThanOrEqual(3);
    const tombstone = readEntries(bus, "ended");
    expect(tombstone.map(describeEvent)).toEqual(["gap behind 1", "end failed"]);
    expect(tombstone[1]?.event).toMatchObject({ msg: "why" });
    expect(drops).toEqual([]);
  });

  test("evicts what was not reported to for longest next, and never what is followed", () => {
    const bus = createEventBus({ maxSessions: 30 });
    for (let i = 0; i < 30; i++) bus.publish(`s-${i}`, { message: "1" });
    const followed = recordEntries(bus, "s-0");
    bus.publish("s-1", { message: "2" });
    bus.publish("new", {});
    expect(bus.stats().sessions).toBeLessThanOrEqual(30);
    expect(readEntries(bus, "s-0").map(describeEvent)).toEqual(["1"]);
    expect(readEntries(bus, "s-1").map(describeEvent)).toEqual(["1", "2"]);
    expect(readEntries(bus, "s-2").map(describeEvent)).toEqual(["gap behind 1"]);
    expect(readEntries(bus, "s-29").map(describeEvent)).toEqual(["1"]);
    expect(followed.map(describeEvent)).toEqual(["1"]);
  });

  test("leaves of an evicted session its epoch and head: later reports go on, who is behind gets the gap", () => {
    const bus = createEventBus({ maxSessions: 1 });
    const reporter = bus.reporter("s");
    for (const message of ["1", "2", "3"]) reporter.report({ message });
    const after = readEntries(bus, "s")[0]!.id;
    bus.publish("other", {});
    const behind: string[] = [];
    const stop = bus.subscribe("s", (entry) => void behind.push(describeEvent(entry)), { after });
    expect(behind).toEqual(["gap behind 2"]);
    stop();
    expect(reporter.report({ message: "4" })).toBe(true);
    const entries = readEntries(bus, "s");
    expect(entries.map(describeEvent)).toEqual(["gap behind 3", "4"]);
    expect(positionsOf(entries)).toEqual([3, 4]);
    expect(String(epochOf(entries[0]))).toBe(reporter.epoch);
  });

  test("drops reports when every session is followed, and tells later how many: the `dropped` gap", () => {
    const bus = createEventBus({ maxSessions: 1 });
    const drops = recordDrops(bus);
    const stop = bus.subscribe("busy", () => undefined);
    bus.publish("busy", {});
    expect(bus.publish("s", { message: "1" })).toBe(false);
    expect(bus.withSession("s", () => reportProgress({ message: "2" }))).toBe(false);
    expect(drops).toEqual(Array(2).fill(["s", "full"]));
    expect(readEntries(bus, "s")).toEqual([]);
    stop();
    const reporter = bus.reporter("s");
    let lost = 2;
    // After it found no room, a bus does not look again at once.
    while (!reporter.report({ message: "3" })) lost++;
    const entries = readEntries(bus, "s");
    expect(entries.map(({ event }) => event)).toEqual([
      { t: "gap", reason: "dropped", lost },
      expect.objectContaining({ msg: "3" }),
    ]);
    expect(positionsOf(entries)).toEqual([1, 2]);
    expect(drops).toHaveLength(lost);
  });

  test("never refuses an end", () => {
    const bus = createEventBus({ maxSessions: 1 });
    bus.subscribe("busy", () => undefined);
    bus.publish("busy", {});
    expect(bus.publish("s", {})).toBe(false);
    expect(bus.end("s", { status: "failed" })).toBe(true);
    // The entry that told of the report that was dropped is missing itself.
    expect(readEntries(bus, "s").map(describeEvent)).toEqual(["gap behind 1", "end failed"]);
    bus.reporter("t");
    expect(bus.end("t")).toBe(true);
    expect(readEntries(bus, "t").map(describeEvent)).toEqual(["end completed"]);
  });

  test("never refuses a run, which a follower that merely waits cannot hinder", async () => {
    const bus = createEventBus({ maxSessions: 2 });
    for (let i = 0; i < 10; i++) bus.subscribe(`waiting-${i}`, () => undefined);
    const { sessionId, done } = bus.start(() => reportProgress({ message: "goes" }));
    await done;
    expect(readEntries(bus, sessionId).map(describeEvent)).toEqual(["goes", "end completed"]);
    expect(bus.stats().sessions).toBe(1);
  });

  test("bounds stubs and tombstones, too: the oldest is forgotten", () => {
    const bus = createEventBus({ maxSessions: 10 });
    for (let i = 0; i < 100; i++) {
      bus.reporter(`s-${i}`);
      bus.end(`s-${i}`);
    }
    expect(readEntries(bus, "s-0")).toEqual([]);
    expect(readEntries(bus, "s-99").map(describeEvent)).toEqual(["end completed"]);
  });
});

describe("a session that had to make room while its run goes on", () => {
  function crowdedOut() {
    const bus = createEventBus({ maxSessions: 1 });
    let aborted = false;
    const { done } = bus.start(
      ({ signal, reporter }) => {
        reporter.report({ message: "before" });
        return new Promise<void>((resolve) => {
          signal.addEventListener("abort", () => {
            aborted = true;
            resolve();
          });
        });
      },
      { sessionId: "s", owner: { user: 1 } },
    );
    for (const id of ["a", "b", "c"]) bus.publish(id, {});
    return { bus, done, aborted: () => aborted };
  }

  test("is closed with the bus", async () => {
    const { bus, done, aborted } = crowdedOut();
    await bus.close();
    expect(aborted()).toBe(true);
    expect((await done).status).toBe("cancelled");
  });

  test("is reached by an end", async () => {
    const { bus, done, aborted } = crowdedOut();
    bus.end("s", { status: "failed" });
    expect(aborted()).toBe(true);
    expect((await done).status).toBe("cancelled");
    expect(readEntries(bus, "s").map(describeEvent)).toEqual(["gap behind 1", "end failed"]);
  });

  test("keeps its owner", async () => {
    const { bus } = crowdedOut();
    bus.publish("s", { message: "of user 1" });
    const owners: unknown[] = [];
    const authorize = (_request: Request, _sessionId: string, owner: unknown): boolean => {
      owners.push(owner);
      return false;
    };
    await sseHandler(bus, { authorize })(new Request("http://localhost/?session_id=s"));
    expect(owners).toEqual([{ user: 1 }]);
    await bus.close();
  });
});

describe("maxTotalBytes", () => {
  const message = "x".repeat(1_000);

  test("evicts like maxSessions does: ended first, then unfollowed, oldest first", () => {
    const bus = createEventBus({ history: { maxTotalBytes: 21_000 } });
    for (const id of ["a", "b", "followed", "ended"])
      for (let i = 0; i < 3; i++) bus.publish(id, { message });
    bus.end("ended");
    bus.subscribe("followed", () => undefined);
    const sizes = () => ["a", "b", "followed", "ended"].map((id) => readEntries(bus, id).length);
    expect(sizes()).toEqual([3, 3, 3, 4]);
    for (let i = 0; i < 6; i++) bus.publish("new", { message });
    expect(sizes()).toEqual([3, 3, 3, 2]);
    for (let i = 0; i < 4; i++) bus.publish("new", { message });
    expect(sizes()).toEqual([1, 3, 3, 2]);
    expect(bus.stats().bytes).toBeLessThanOrEqual(21_000);
  });

  test("drops what still does not fit, and the session goes on with a `dropped` gap", () => {
    const bus = createEventBus({ history: { maxTotalBytes: 8_000 } });
    const drops = recordDrops(bus);
    const stop = bus.subscribe("busy", () => undefined);
    for (let i = 0; i < 6; i++) bus.publish("busy", { message });
    const entries = recordEntries(bus, "s");
    expect(bus.publish("s", { message })).toBe(false);
    expect(drops).toEqual([["s", "full"]]);
    stop();
    let lost = 1;
    while (!bus.publish("s", { message: "fits" })) lost++;
    expect(entries.map(describeEvent)).toEqual([`gap dropped ${lost}`, "fits"]);
    expect(bus.stats()).toMatchObject({ drops: lost });
  });

  test("lets one session alone compact instead of being dropped", () => {
    const bus = createEventBus({ history: { maxTotalBytes: 8_000 } });
    const entries = recordEntries(bus, "s");
    for (let i = 0; i < 50; i++) expect(bus.publish("s", { message })).toBe(true);
    expect(entries).toHaveLength(50);
    expect(bus.stats().bytes).toBeLessThanOrEqual(8_000);
  });

  test("makes tombstones give way to reports, also when they are few", () => {
    const bus = createEventBus({ history: { maxTotalBytes: 50_000 } });
    for (let i = 0; i < 60; i++) {
      bus.reporter(`s-${i}`);
      bus.end(`s-${i}`, { data: "d".repeat(900) });
    }
    for (let i = 0; i < 100; i++) expect(bus.publish("new", { message: "taken" })).toBe(true);
    expect(readEntries(bus, "s-59").map(describeEvent)).toEqual(["end completed"]);
    expect(bus.stats().bytes).toBeLessThanOrEqual(50_000);
  });

  test("bounds logs that are full by count, and whose events grow", () => {
    const maxTotalBytes = 200_000;
    const bus = createEventBus({ history: { maxEvents: 4, maxBytes: 100_000, maxTotalBytes } });
    const oneEvent = 20_000 + 512;
    let highest = 0;
    for (const long of ["", "x".repeat(20_000)]) {
      for (let i = 0; i < 80; i++) {
        bus.publish(`s-${i >> 2}`, { message: long });
        highest = Math.max(highest, bus.stats().bytes);
      }
    }
    expect(highest).toBeGreaterThan(maxTotalBytes / 2);
    expect(highest).toBeLessThanOrEqual(maxTotalBytes + oneEvent);
  });

  test("counts nothing of a reporter whose session was replaced, and nothing after close", async () => {
    const bus = createEventBus({ maxSessions: 1 });
    const old = bus.reporter("s");
    old.report({ message });
    for (const id of ["a", "b", "c"]) bus.publish(id, {});
    const current = bus.reporter("s");
    expect(current.epoch).not.toBe(old.epoch);
    current.report({ message });
    const { bytes } = bus.stats();
    expect(old.report({ message })).toBe(false);
    await old.end({ status: "failed", message });
    expect(bus.stats().bytes).toBe(bytes);
    expect(readEntries(bus, "s")).toHaveLength(1);
    await bus.close();
    expect(bus.stats().bytes).toBe(0);
  });

  test.each([true, false])(
    "counts nothing of a run whose session was replaced (keepOpen: %s)",
    async (keepOpen) => {
      const bus = createEventBus({ maxSessions: 1 });
      const held = deferred();
      const { done } = bus.start(() => held.promise, { sessionId: "s", keepOpen, result: () => message });
      bus.publish("s", { message });
      bus.end("s");
      for (const id of ["a", "b", "c"]) bus.publish(id, {});
      const reporter = bus.reporter("s");
      reporter.report({ message });
      const { bytes, events } = bus.stats();
      held.resolve();
      await done;
      expect(bus.stats()).toMatchObject({ bytes, events });
      expect(readEntries(bus, "s").map(describeEvent)).toEqual([message]);
      await bus.close();
      expect(bus.stats().bytes).toBe(0);
    },
  );

  test.each([
    ["reopened", (bus: SessionEventBus) => bus.reporter("s")],
    ["forgotten", (bus: SessionEventBus) => bus.end("other")],
  ])("counts nothing of a session that was ended and %s", (_what, next) => {
    const bus = createEventBus({ maxSessions: 1 });
    const bytes: number[] = [];
    for (let i = 0; i < 50; i++) {
      bus.withSession("s", () => reportProgress({ message }));
      bus.end("s");
      next(bus);
      bytes.push(bus.stats().bytes);
    }
    expect(bytes.at(-1)).toBeLessThanOrEqual(bytes[1]!);
  });
});

describe("retentionMs", () => {
  test("is how long an ended session keeps its log; then it is only its end", async () => {
    const bus = createEventBus({ retentionMs: 20 });
    bus.publish("s", { message: "1" });
    bus.publish("open", { message: "stays" });
    bus.end("s", { status: "cancelled" });
    expect(readEntries(bus, "s").map(describeEvent)).toEqual(["1", "end cancelled"]);
    await eventually("one session is left", () => bus.stats().sessions === 1);
    expect(readEntries(bus, "s").map(describeEvent)).toEqual(["gap behind 1", "end cancelled"]);
    expect(readEntries(bus, "open").map(describeEvent)).toEqual(["stays"]);
    expect(bus.publish("s", {})).toBe(false);
    const { epoch } = bus.reporter("s");
    expect(BigInt(epoch!) > epochOf(readEntries(bus, "open")[0]) - (1n << 30n)).toBe(true);
  });
});

describe("idleMs", () => {
  test("is how long a session that nobody reports to or follows keeps its log", async () => {
    const bus = createEventBus({ idleMs: 20 });
    const reporter = bus.reporter("s");
    reporter.report({ message: "1" });
    const followed = recordEntries(bus, "followed");
    bus.publish("followed", { message: "kept" });
    await eventually("one session is left", () => bus.stats().sessions === 1);
    expect(readEntries(bus, "s").map(describeEvent)).toEqual(["gap behind 1"]);
    expect(reporter.report({ message: "2" })).toBe(true);
    expect(readEntries(bus, "s").map(describeEvent)).toEqual(["gap behind 1", "2"]);
    expect(followed.map(describeEvent)).toEqual(["kept"]);
    expect(readEntries(bus, "followed").map(describeEvent)).toEqual(["kept"]);
  });
});

describe("sessions that were only followed", () => {
  test("leave nothing when their last follower leaves", async () => {
    const bus = createEventBus();
    const stops = Array.from({ length: 100 }, (_, i) => bus.subscribe(`s-${i % 10}`, () => undefined));
    const iterators = Array.from({ length: 10 }, (_, i) => bus.follow(`t-${i}`)[Symbol.asyncIterator]());
    expect(bus.stats()).toMatchObject({ sessions: 0, followers: 110 });
    for (const stop of stops) stop();
    for (const iterator of iterators) await iterator.return?.();
    expect(bus.stats()).toEqual({ sessions: 0, followers: 0, events: 0, gaps: 0, drops: 0, bytes: 0 });
  });
});

describe("maxEvents", () => {
  test.each([1, 2, 3, 10])(
    "of %i keeps so many at most, the newest of each agent and phase among them",
    (maxEvents) => {
      const bus = createEventBus({ history: { maxEvents } });
      bus.publish("s", { agent: "planner", message: "the plan", phase: "decision" });
      for (let i = 0; i < 100; i++) bus.publish("s", { agent: "coder", message: `${i}` });
      const entries = readEntries(bus, "s");
      const kept = entries.filter(({ event }) => event.t !== "gap");
      expect(kept.length).toBeLessThanOrEqual(maxEvents);
      expect(describeEvent(kept.at(-1)!)).toBe("99");
      if (maxEvents > 1) expect(describeEvent(kept[0]!)).toBe("the plan");
      const missed = entries.reduce((sum, { event }) => sum + (event.t === "gap" ? event.missed! : 1), 0);
      expect(missed).toBe(101);
    },
  );
});
