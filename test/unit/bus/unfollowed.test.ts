import { describe, expect, test } from "vitest";
import {
  createEventBus,
  isSessionProgressError,
  reportProgress,
  type SessionEventBus,
} from "session-progress";
import { sseHandler } from "session-progress/fetch";
import { followOverWebSocket } from "session-progress/websocket";
import { aborted } from "../../support/aborted.ts";
import { deferred } from "../../support/deferred.ts";
import { settled } from "../../support/event-loop.ts";
import { describeEvent } from "../../support/events.ts";
import { HostileBackplane, HostileStore } from "../../support/hostile-backplane.ts";
import { watchTimers } from "../../support/live-timers.ts";
import { manualTicks } from "../../support/manual-ticks.ts";
import { recordEntries } from "../../support/session-entries.ts";
import { untyped } from "../../support/untyped.ts";

/** Follows a session over each transport; resolves with what leaves it. */
const TRANSPORTS: Record<string, (bus: SessionEventBus, sessionId: string) => Promise<() => unknown>> = {
  "an event stream": async (bus, sessionId) => {
    const response = await sseHandler(bus)(new Request(`http://localhost/?session_id=${sessionId}`));
    return () => response.body?.cancel();
  },
  "a WebSocket": (bus, sessionId) =>
    Promise.resolve(followOverWebSocket(bus, sessionId, { send: () => {}, close: () => {} })),
};

// A quarter of the period is a tick; the period is over with the fifth, whenever the first came.
const PERIOD = { unfollowedMs: 60_000 };
const OVER = 5;

describe.each(Object.entries(TRANSPORTS))("a run that is followed over %s", (_name, connect) => {
  test("is cancelled when it has been unfollowed since its start", async () => {
    const bus = createEventBus();
    const { tick } = manualTicks(bus);
    let reason: unknown;
    const run = bus.start(async ({ signal }) => (reason = await aborted(signal)), PERIOD);
    tick(OVER - 1);
    await settled();
    expect(reason).toBeUndefined();
    tick(1);
    expect(await run.done).toEqual({ status: "cancelled" });
    await settled();
    expect(isSessionProgressError(reason) && reason.code).toBe("ended");
    expect(recordEntries(bus, run.sessionId).map(describeEvent)).toEqual(["end cancelled"]);
  });

  test("goes on while somebody follows, and is cancelled so long after the last has left", async () => {
    const bus = createEventBus();
    const { tick } = manualTicks(bus);
    const { sessionId, done } = bus.start(({ signal }) => aborted(signal), PERIOD);
    const leave = [await connect(bus, sessionId), await connect(bus, sessionId)];
    tick(3 * OVER);
    await leave[0]!();
    tick(3 * OVER);
    await leave[1]!();
    tick(OVER - 1);
    expect(bus.publish(sessionId, { message: "still there" })).toBe(true);
    tick(1);
    expect(await done).toEqual({ status: "cancelled" });
  });

  test("is kept by who comes back in time, however briefly", async () => {
    const bus = createEventBus();
    const { tick } = manualTicks(bus);
    const work = deferred<string>();
    const { sessionId, done } = bus.start(() => work.promise, { ...PERIOD, result: (value) => value });
    for (let i = 0; i < 5; i++) {
      const leave = await connect(bus, sessionId);
      await leave();
      tick(OVER - 1);
    }
    work.resolve("the answer");
    expect(await done).toEqual({ status: "completed", data: "the answer" });
  });

  test("of an open session is closed by its run_end, and the session goes on", async () => {
    const bus = createEventBus();
    const { tick } = manualTicks(bus);
    const other = deferred<undefined>();
    const kept = { sessionId: "chat", keepOpen: true };
    const first = bus.start(({ signal }) => aborted(signal), { ...kept, ...PERIOD });
    const second = bus.start(() => other.promise, kept);
    tick(OVER);
    expect(await first.done).toEqual({ status: "cancelled" });
    other.resolve(undefined);
    expect(await second.done).toEqual({ status: "completed", data: undefined });
    expect(recordEntries(bus, "chat").map(describeEvent)).toEqual(["run cancelled", "run completed"]);
    expect(await bus.open({ sessionId: "chat" })).toBe("chat");
  });
});

describe("unfollowedMs", () => {
  test("does not count listeners, iterators and HEAD requests", async () => {
    const bus = createEventBus();
    const { tick } = manualTicks(bus);
    const { sessionId, done } = bus.start(({ signal }) => aborted(signal), PERIOD);
    bus.subscribe(sessionId, () => undefined);
    const next = bus.follow(sessionId)[Symbol.asyncIterator]().next();
    await sseHandler(bus)(new Request(`http://localhost/?session_id=${sessionId}`, { method: "HEAD" }));
    tick(OVER);
    expect(await done).toEqual({ status: "cancelled" });
    await next;
  });

  test("does nothing without it, and nothing once the run is over", async () => {
    const bus = createEventBus();
    const ticks = manualTicks(bus);
    bus.on("run", () => undefined); // or the failed one would be a process warning
    const before = ticks.members;
    const work = deferred<undefined>();
    const unbounded = bus.start(() => work.promise, { sessionId: "other" });
    const ended = bus.start(({ reporter }) => reporter.end(), PERIOD);
    await ended.done;
    const failed = bus.start(() => Promise.reject(new Error("no")), { ...PERIOD, result: () => "never" });
    expect((await failed.done).status).toBe("failed");
    const stopped = bus.start(({ signal }) => aborted(signal), PERIOD);
    bus.end(stopped.sessionId, { status: "completed" });
    expect(await stopped.done).toEqual({ status: "cancelled" });
    bus.publish("other", { message: "sweeping has begun" });
    expect(ticks.members).toBe(before + 1); // the sweep of old sessions
    ticks.tick(2 * OVER);
    work.resolve(undefined);
    expect((await unbounded.done).status).toBe("completed");
  });

  test("leaves the grace of a closing bus to its runs", async () => {
    const bus = createEventBus();
    const { tick } = manualTicks(bus);
    const work = deferred<string>();
    const { done } = bus.start(() => work.promise, PERIOD);
    const closed = bus.close({ graceMs: 60_000 });
    tick(3 * OVER);
    work.resolve("in time");
    expect((await done).status).toBe("completed");
    await closed;
  });

  test("needs no timer of its own, and leaves none", async () => {
    const timers = watchTimers();
    const bus = createEventBus();
    const runs = Array.from({ length: 20 }, () =>
      bus.start(
        async ({ signal }) => {
          reportProgress({ message: "working" });
          await aborted(signal);
        },
        { unfollowedMs: 20 },
      ),
    );
    const before = timers.count();
    expect(before).toBeLessThanOrEqual(2);
    expect(new Set((await Promise.all(runs.map(({ done }) => done))).map(({ status }) => status))).toEqual(
      new Set(["cancelled"]),
    );
    await settled();
    expect(timers.count()).toBe(before - 1);
    await bus.close();
    await settled();
    expect(timers.count()).toBe(0);
    timers.stop();
  });

  test.each([0, -1, 1.5, NaN, Infinity, "60000", null])("%j is a TypeError, and starts nothing", (bad) => {
    const bus = createEventBus();
    let called = false;
    expect(() => bus.start(() => (called = true), untyped({ unfollowedMs: bad }))).toThrow(
      /^Expected `unfollowedMs` to be a whole number from 1 up/,
    );
    expect([called, bus.stats().sessions]).toEqual([false, 0]);
  });

  test("is refused with a backplane: others' connections are not counted", async () => {
    const bus = createEventBus({ backplane: new HostileBackplane(new HostileStore(1)) });
    expect(() => bus.start(() => undefined, PERIOD)).toThrow(TypeError);
    expect(() => bus.start(() => undefined, PERIOD)).toThrow(/`unfollowedMs` with a backplane/);
    await bus.close();
  });
});
