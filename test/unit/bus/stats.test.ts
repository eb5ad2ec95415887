import { describe, expect, test } from "vitest";
import { createEventBus } from "session-progress";
import { nextTurn } from "../../support/event-loop.ts";

describe("stats", () => {
  test("counts sessions, followers, events, gaps, drops and bytes", async () => {
    const bus = createEventBus({ history: { maxEvents: 2 } });
    expect(bus.stats()).toEqual({ sessions: 0, followers: 0, events: 0, gaps: 0, drops: 0, bytes: 0 });
    const stop = bus.subscribe("s", () => undefined);
    const iterator = bus.follow("s")[Symbol.asyncIterator]();
    expect(bus.stats()).toMatchObject({ sessions: 0, followers: 2 });
    // The iterator lags: it has not read what was reported in an earlier turn.
    for (let turn = 0; turn < 2; turn++) {
      for (let i = 0; i < 5; i++) bus.publish("s", { message: "m" });
      await nextTurn();
    }
    // What it holds of the first turn, then the gap.
    for (let n = 0; n < 6; n++) await iterator.next();
    bus.reporter("t");
    bus.end("t");
    bus.publish("t", {});
    expect(bus.stats()).toMatchObject({ sessions: 2, followers: 2, events: 11, gaps: 1, drops: 1 });
    expect(bus.stats().bytes).toBeGreaterThan(300);
    stop();
    await iterator.return?.();
    expect(bus.stats().followers).toBe(0);
  });
});
