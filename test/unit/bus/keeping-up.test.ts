import { describe, expect, test } from "vitest";
import { createEventBus, type SessionEntry, type SessionEventBus } from "session-progress";
import { collect } from "session-progress/testing";
import { sseHandler } from "session-progress/fetch";
import { followOverWebSocket } from "session-progress/websocket";
import { nextTurn, settled } from "../../support/event-loop.ts";
import { describeEvent } from "../../support/events.ts";

// Followers that keep up never see a gap, however much one turn brings. An iterator's consumer cannot run in that
// turn at all, so what it will read is kept for it.

/** Reads `sessionId` as fast as it can. */
function read(bus: SessionEventBus, sessionId: string): { told: string[]; over: Promise<void> } {
  const told: string[] = [];
  const over = (async () => {
    for await (const entry of bus.follow(sessionId)) told.push(describeEvent(entry));
  })();
  return { told, over };
}

describe("an iterator that keeps up", () => {
  test.each([1, 2, 3, 10, 100])("sees every entry, with a history of %i", async (maxEvents) => {
    const bus = createEventBus({ history: { maxEvents } });
    const readers = [read(bus, "s"), read(bus, "s")];
    await settled();
    const expected: string[] = [];
    for (let turn = 0; turn < 5; turn++) {
      for (let n = 0; n < 300; n++) {
        bus.publish("s", { message: `${turn}-${n}` });
        expected.push(`${turn}-${n}`);
      }
      await nextTurn();
    }
    bus.end("s");
    expected.push("end completed");
    for (const { told, over } of readers) {
      await over;
      expect(told).toEqual(expected);
    }
    expect(bus.stats().gaps).toBe(0);
  });

  test("sees every entry also where bytes are what is short", async () => {
    const bus = createEventBus({ history: { maxBytes: 10_000, maxTotalBytes: 20_000 } });
    const { told, over } = read(bus, "s");
    await settled();
    for (let n = 0; n < 300; n++) bus.publish("s", { message: `${n}`.padEnd(1_000) });
    bus.end("s");
    await over;
    expect(told.map((word) => word.trim())).toEqual(
      [...Array(300).keys()].map(String).concat("end completed"),
    );
  });

  test("sees the end with what came before it, in one turn, in many sessions", async () => {
    const bus = createEventBus({ history: { maxEvents: 4 }, maxSessions: 3 });
    const ids = ["a", "b", "c"];
    const readers = ids.map((id) => read(bus, id));
    await settled();
    for (let n = 0; n < 50; n++) for (const id of ids) bus.publish(id, { message: `${n}` });
    for (const id of ids) bus.end(id);
    for (const { told, over } of readers) {
      await over;
      expect(told).toEqual([...Array(50).keys()].map(String).concat("end completed"));
    }
  });

  test("beside one that does not: that one alone is told of a gap, and costs nothing but its position", async () => {
    const bus = createEventBus({ history: { maxEvents: 10 } });
    const slow = bus.follow("s")[Symbol.asyncIterator]();
    const { told, over } = read(bus, "s");
    await settled();
    for (let turn = 0; turn < 20; turn++) {
      for (let n = 0; n < 20; n++) bus.publish("s", { message: `${turn}-${n}` });
      await nextTurn();
    }
    bus.end("s");
    await over;
    expect(told).toHaveLength(401);
    const late: SessionEntry[] = [];
    for (let { done, value } = await slow.next(); done !== true; { done, value } = await slow.next())
      late.push(value);
    const missed = late.reduce((sum, { event }) => sum + (event.t === "gap" ? event.missed! : 1), 0);
    expect(missed).toBe(401);
    expect(late.length).toBeLessThan(100);
  });

  test("in one turn may read ahead of its consumer, and stop: nothing is left", async () => {
    const bus = createEventBus({ history: { maxEvents: 4 } });
    const iterator = bus.follow("s")[Symbol.asyncIterator]();
    const first = iterator.next();
    await settled();
    for (let n = 0; n < 50; n++) bus.publish("s", { message: `${n}` });
    expect(describeEvent((await first).value)).toBe("0");
    await iterator.return?.();
    expect(await iterator.next()).toEqual({ done: true, value: undefined });
    expect(bus.stats().followers).toBe(0);
  });
});

describe("followers in the process take no connection's place", () => {
  const ask = (): Request => new Request("http://localhost/?session_id=s");

  test.each([
    ["to a session", { maxFollowersPerSession: 1 }],
    ["in all", { maxFollowers: 1 }],
  ])("iterators and listeners (%s)", async (_limit, options) => {
    const bus = createEventBus(options);
    bus.publish("s", { message: "m" });
    const readers = [read(bus, "s"), read(bus, "s"), read(bus, "other")];
    for (let n = 0; n < 5; n++) bus.subscribe("s", () => undefined);
    await settled();
    expect((await sseHandler(bus)(ask())).status).toBe(200);
    expect((await sseHandler(bus)(ask())).status).toBe(429);
    const codes: (number | undefined)[] = [];
    followOverWebSocket(bus, "s", { send: () => undefined, close: (code) => codes.push(code) });
    expect(codes).toEqual([4029]);
    // And a full bus refuses no iterator and no listener.
    expect(await collect(bus.follow("s"), 1)).toHaveLength(1);
    bus.end("s");
    await bus.close();
    for (const { over } of readers) await over;
  });

  test("a connection that has left makes room, whoever else follows", async () => {
    const bus = createEventBus({ maxFollowersPerSession: 1, maxFollowers: 1 });
    bus.publish("s", {});
    void read(bus, "s");
    for (let round = 0; round < 3; round++) {
      const stop = new AbortController();
      const response = await sseHandler(bus)(new Request(ask(), { signal: stop.signal }));
      expect(response.status).toBe(200);
      stop.abort();
      await settled();
    }
    await bus.close();
  });
});
