import { getEventListeners } from "node:events";
import { afterEach, describe, expect, test, vi } from "vitest";
import { createEventBus, reportProgress, type SessionEntry } from "session-progress";
import { sseHandler } from "session-progress/fetch";
import { collect } from "session-progress/testing";
import { nextTurn, settled } from "../../support/event-loop.ts";
import { describeEvent, positionsOf } from "../../support/events.ts";
import { readEntries, recordEntries } from "../../support/session-entries.ts";
import { untyped } from "../../support/untyped.ts";

function busWith(...messages: string[]) {
  const bus = createEventBus();
  for (const message of messages) bus.publish("s", { message });
  return { bus, ids: readEntries(bus, "s").map(({ id }) => id) };
}

describe("follow", () => {
  test("reads from the start, then live, until the end", async () => {
    const { bus } = busWith("1", "2");
    const following = collect(bus.follow("s"));
    await settled();
    bus.publish("s", { message: "3" });
    await settled();
    bus.publish("s", { message: "4" });
    bus.end("s");
    const entries = await following;
    expect(entries.map(describeEvent)).toEqual(["1", "2", "3", "4", "end completed"]);
    expect(positionsOf(entries)).toEqual([1, 2, 3, 4, 5]);
    expect(bus.stats().followers).toBe(0);
  });

  test("waits for a session that nobody has opened", async () => {
    const bus = createEventBus();
    const following = collect(bus.follow("s"));
    await settled();
    expect(bus.stats()).toMatchObject({ sessions: 0, followers: 1 });
    bus.withSession("s", () => reportProgress({ message: "1" }));
    bus.end("s");
    expect((await following).map(describeEvent)).toEqual(["1", "end completed"]);
  });

  test("goes on after an id, exactly", async () => {
    const { bus, ids } = busWith("1", "2", "3");
    for (const [seen, after] of ids.entries()) {
      const left = 3 - seen - 1;
      if (left > 0) expect(await collect(bus.follow("s", { after }), left)).toHaveLength(left);
    }
    bus.end("s");
    expect((await collect(bus.follow("s", { after: ids[1] }))).map(describeEvent)).toEqual([
      "3",
      "end completed",
    ]);
  });

  test('starts now with "now": where it was made, not where it is first read', async () => {
    const { bus } = busWith("1");
    const now = bus.follow("s", { after: "now" });
    bus.publish("s", { message: "2" });
    bus.end("s");
    expect((await collect(now)).map(describeEvent)).toEqual(["2", "end completed"]);
    expect((await collect(bus.follow("s", { after: "now" }))).map(describeEvent)).toEqual(["end completed"]);
  });

  test("reads nothing after the end's own id", async () => {
    const { bus } = busWith("1");
    bus.end("s");
    const after = recordEntries(bus, "s").at(-1)?.id;
    const iterator = bus.follow("s", { after })[Symbol.asyncIterator]();
    const pending = iterator.next();
    await settled();
    await iterator.return?.();
    expect(await pending).toEqual({ done: true, value: undefined });
  });

  test.each(["9-9", "x", "1-99999999999999999999", "🐢"])(
    "resets for %s, then reads from the start",
    async (after) => {
      const { bus } = busWith("1");
      bus.end("s");
      expect((await collect(bus.follow("s", { after }))).map(describeEvent)).toEqual([
        "gap reset",
        "1",
        "end completed",
      ]);
      expect(bus.stats().gaps).toBe(1);
    },
  );

  test("tells a consumer that lags over turns how much is missing", async () => {
    const bus = createEventBus({ history: { maxEvents: 4 } });
    const gaps: unknown[] = [];
    bus.on("gap", (...args) => void gaps.push(args));
    const iterator = bus.follow("s")[Symbol.asyncIterator]();
    bus.publish("s", { message: "1" });
    await nextTurn();
    for (let i = 2; i <= 10; i++) bus.publish("s", { message: `${i}` });
    const gap = { t: "gap", reason: "behind", missed: 6 };
    expect(await iterator.next()).toMatchObject({ value: { event: gap, id: expect.stringMatching(/-6$/) } });
    expect(describeEvent((await iterator.next()).value as SessionEntry)).toBe("7");
    expect(gaps).toEqual([["s", gap, null]]);
    await iterator.return?.();
  });

  test("keeps for a consumer that keeps up what one turn brings, up to 1 MiB of it", async () => {
    for (const [count, size, missed] of [
      [5_000, 10, 0],
      [3_000, 1_000, expect.any(Number)],
    ] as const) {
      const bus = createEventBus({ history: { maxEvents: 4 } });
      const iterator = bus.follow("s")[Symbol.asyncIterator]();
      for (let i = 1; i <= count; i++) bus.publish("s", { message: "x".repeat(size) });
      bus.end("s");
      const entries = await collect({ [Symbol.asyncIterator]: () => iterator });
      const gaps = entries.flatMap(({ event }) => (event.t === "gap" ? event.missed! : []));
      expect(gaps).toEqual(missed === 0 ? [] : [missed]);
      expect(entries.length - gaps.length + (gaps[0] ?? 0)).toBe(count + 1);
      const held = entries.findIndex(({ event }) => event.t === "gap");
      if (held !== -1) expect(held * size).toBeLessThan(1 << 20);
    }
  });

  test("answers several reads at once, in order", async () => {
    const bus = createEventBus();
    const iterator = bus.follow("s")[Symbol.asyncIterator]();
    const reads = [1, 2, 3, 4].map(() => iterator.next());
    bus.publish("s", { message: "1" });
    bus.publish("s", { message: "2" });
    bus.end("s");
    const results = await Promise.all(reads);
    expect(
      results.map(({ value }) => (value === undefined ? "done" : describeEvent(value as SessionEntry))),
    ).toEqual([...["1", "2", "end completed", "done"]]);
  });

  test("has a cursor for each iteration", async () => {
    const { bus } = busWith("1", "2");
    bus.end("s");
    const followed = bus.follow("s");
    const [one, other] = await Promise.all([collect(followed), collect(followed)]);
    expect(one).toEqual(other);
    expect(await collect(followed)).toHaveLength(3);
  });

  test("leaves nothing when it is made and never read", () => {
    const bus = createEventBus();
    for (let i = 0; i < 100; i++) bus.follow(`s-${i}`);
    expect(bus.stats()).toMatchObject({ sessions: 0, followers: 0 });
  });

  test("leaves nothing when the loop is left", async () => {
    const { bus } = busWith("1", "2");
    const entries = await collect(bus.follow("s"), 1);
    expect(entries.map(describeEvent)).toEqual(["1"]);
    expect(bus.stats().followers).toBe(0);
  });

  test("stops quietly when its signal aborts, before or while it waits", async () => {
    const { bus } = busWith("1");
    const controller = new AbortController();
    const { signal } = controller;
    const following = collect(bus.follow("s", { signal }));
    await settled();
    controller.abort();
    expect((await following).map(describeEvent)).toEqual(["1"]);
    expect(await collect(bus.follow("s", { signal }))).toEqual([]);
    expect(bus.stats().followers).toBe(0);
  });

  test("stops quietly when the bus closes", async () => {
    const { bus } = busWith("1");
    const following = collect(bus.follow("s"));
    await settled();
    await bus.close();
    expect((await following).map(describeEvent)).toEqual(["1"]);
  });

  test("does not stop for disconnect: an iterator is no connection", async () => {
    const { bus } = busWith("1");
    const following = collect(bus.follow("s"));
    bus.disconnect("s");
    bus.disconnect("nobody");
    bus.end("s");
    expect((await following).map(describeEvent)).toEqual(["1", "end completed"]);
  });

  test("reads lagging into a new incarnation's time: a gap, then the end of its own", async () => {
    const { bus } = busWith("1", "2", "3");
    const iterator = bus.follow("s")[Symbol.asyncIterator]();
    await nextTurn();
    bus.end("s");
    bus.start(() => reportProgress({ message: "new" }), { sessionId: "s" });
    const rest = await collect({ [Symbol.asyncIterator]: () => iterator });
    expect(rest.map(describeEvent)).toEqual(["gap behind 3", "end completed"]);
  });

  test.each([untyped(5), untyped(null)])("refuses %j as `after`", (after) => {
    expect(() => createEventBus().follow("s", { after })).toThrow(
      /^Expected `after` to be an id, "start" or "now", got /,
    );
  });
});

describe("a signal that outlives what follows with it", () => {
  const ways: [string, (bus: ReturnType<typeof createEventBus>, signal: AbortSignal) => unknown][] = [
    ["a listener", (bus, signal) => bus.subscribe("s", () => undefined, { signal })],
    ["an iteration", (bus, signal) => void collect(bus.follow("s", { signal }))],
  ];

  test.each(ways)("is let go by %s when the session ends", async (_what, follow) => {
    const bus = createEventBus();
    const { signal } = new AbortController();
    bus.publish("s", {});
    follow(bus, signal);
    expect(getEventListeners(signal, "abort")).toHaveLength(1);
    bus.end("s");
    await settled();
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });

  test.each(ways)("is let go by %s when the bus closes", async (_what, follow) => {
    const bus = createEventBus();
    const { signal } = new AbortController();
    follow(bus, signal);
    await bus.close();
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });
});

describe("fake timers in a user's tests", () => {
  afterEach(() => void vi.useRealTimers());

  test("do not stop delivery to follow, nor flush and close", async () => {
    vi.useFakeTimers({
      toFake: [
        "setTimeout",
        "setInterval",
        "setImmediate",
        "clearTimeout",
        "clearInterval",
        "clearImmediate",
        "Date",
      ],
    });
    const bus = createEventBus();
    const following = collect(bus.follow("s"), 2);
    bus.publish("s", { message: "1" });
    bus.publish("s", { message: "2" });
    expect((await following).map(describeEvent)).toEqual(["1", "2"]);
    await bus.flush();
    await bus.close({ graceMs: 1 });
  });

  test("do not stop expiry", async () => {
    vi.useFakeTimers();
    const bus = createEventBus({ retentionMs: 10 });
    bus.publish("s", { message: "gone soon" });
    bus.end("s");
    while (bus.stats().sessions > 0) await nextTurn();
    expect(recordEntries(bus, "s").map(describeEvent)).toEqual(["gap behind 1", "end completed"]);
  });

  test("set the time of events", () => {
    vi.useFakeTimers({ now: new Date("2026-11-22T08:37:06.927Z") });
    const bus = createEventBus();
    const entries = recordEntries(bus, "s");
    bus.publish("s", {});
    expect(entries[0]?.event).toMatchObject({ ts: "2026-11-22T08:37:06.927Z" });
  });
});

describe("a listener that waits for a session that was forgotten", () => {
  test("gets a gap when it comes back: received and missed make the head", () => {
    const bus = createEventBus({ maxSessions: 1 });
    const reporter = bus.reporter("s");
    for (const message of ["1", "2", "3"]) reporter.report({ message });
    for (const id of ["a", "b", "c"]) bus.publish(id, {});
    expect(readEntries(bus, "s")).toEqual([]);
    const entries = recordEntries(bus, "s");
    expect(reporter.report({ message: "late" })).toBe(true);
    expect(entries.map(describeEvent)).toEqual(["gap behind 3", "late"]);
    expect(positionsOf(entries)).toEqual([3, 4]);
  });
});

describe("disconnect", () => {
  test("asks `where` about connections only, and leaves iterators alone", async () => {
    const { bus } = busWith("1");
    const iterator = bus.follow("s")[Symbol.asyncIterator]();
    await iterator.next();
    const request = new Request("http://localhost/?session_id=s");
    const response = await sseHandler(bus)(request);
    const where = vi.fn(() => true);
    bus.disconnect("s", where);
    expect(where.mock.calls).toEqual([[request]]);
    expect(await response.text()).not.toContain("event: end");
    bus.disconnect("s");
    const next = iterator.next();
    bus.publish("s", { message: "2" });
    expect(describeEvent((await next).value as SessionEntry)).toBe("2");
    await iterator.return?.();
  });
});

describe("flush", () => {
  test("offers everything reported so far, without waiting for the turn", async () => {
    const bus = createEventBus();
    const iterator = bus.follow("s")[Symbol.asyncIterator]();
    const read = iterator.next();
    bus.publish("s", { message: "1" });
    await bus.flush();
    expect(describeEvent((await read).value as SessionEntry)).toBe("1");
    await iterator.return?.();
  });
});
