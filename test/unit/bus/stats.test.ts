import { describe, expect, test } from "vitest";
import { createEventBus } from "session-progress";

describe("stats", () => {
  test("counts sessions, followers, events, gaps, drops and bytes", async () => {
    const bus = createEventBus({ history: { maxEvents: 2 } });
    expect(bus.stats()).toEqual({ sessions: 0, followers: 0, events: 0, gaps: 0, drops: 0, bytes: 0 });
    const stop = bus.subscribe("s", () => undefined);
    const iterator = bus.follow("s")[Symbol.asyncIterator]();
    expect(bus.stats()).toMatchObject({ sessions: 0, followers: 2 });
    for (let i = 0; i < 10; i++) bus.publish("s", { message: "m" });
    await iterator.next();
    bus.end("t");
    bus.publish("t", {});
    expect(bus.stats()).toMatchObject({ sessions: 2, followers: 2, events: 11, gaps: 1, drops: 1 });
    expect(bus.stats().bytes).toBeGreaterThan(300);
    stop();
    await iterator.return?.();
    expect(bus.stats().followers).toBe(0);
  });
});
