import { afterEach, describe, expect, test, vi } from "vitest";
import { nextTurn } from "../../support/event-loop.ts";

afterEach(() => {
  vi.useRealTimers();
  vi.resetModules();
});

describe.each([
  ["by default", {}],
  ["of microtasks and the clock", { toFake: ["setImmediate", "queueMicrotask", "performance"] }],
  ["of setTimeout alone", { toFake: ["setTimeout"] }],
] as const)("Vitest's fake timers, %s, that are on before the package loads", (_name, config) => {
  test("do not stop delivery", async () => {
    vi.resetModules();
    vi.useFakeTimers(config as Parameters<typeof vi.useFakeTimers>[0]);
    const { createEventBus } = await import("session-progress");
    const { collect } = await import("session-progress/testing");
    const bus = createEventBus();
    const following = collect(bus.follow("s"), 2);
    bus.publish("s", { message: "one" });
    await nextTurn();
    bus.publish("s", { message: "two" });
    expect((await following).map(({ event }) => "msg" in event && event.msg)).toEqual(["one", "two"]);
    const { done } = bus.start(() => new Promise(() => {}), { unfollowedMs: 20 });
    expect(await done).toEqual({ status: "cancelled" });
    await bus.close();
  });

  test("do not stop the clock by which periods are measured", async () => {
    vi.resetModules();
    vi.useFakeTimers(config as Parameters<typeof vi.useFakeTimers>[0]);
    const { monotonicNow } = await import("../../../src/runtime/timers.ts");
    const before = monotonicNow();
    await nextTurn();
    expect(monotonicNow()).toBeGreaterThan(before);
  });
});
