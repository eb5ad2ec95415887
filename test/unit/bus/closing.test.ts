import { describe, expect, test, vi } from "vitest";
import { createEventBus, type RunContext, type SessionEventBus } from "session-progress";
import { deferred } from "../../support/deferred.ts";
import { describeEvent } from "../../support/events.ts";
import { recordEntries } from "../../support/session-entries.ts";
import { within } from "../../support/eventually.ts";
import { nextTurn } from "../../support/event-loop.ts";

const LONG_MS = 600_000;
/** What Node's timers take at most; they take more for 1 ms. */
const MOST_MS = 2 ** 31;

function untilAborted({ signal }: RunContext): Promise<void> {
  return new Promise((resolve) => {
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

/** A bus with a run that goes on until it is aborted. */
function running(): { bus: SessionEventBus; done: Promise<unknown>; signal: AbortSignal } {
  const bus = createEventBus();
  let signal!: AbortSignal;
  const { done } = bus.start((context) => {
    signal = context.signal;
    return untilAborted(context);
  });
  return { bus, done, signal };
}

/** Whether `promise` has settled, after a few turns. */
async function settled(promise: Promise<unknown>): Promise<boolean> {
  const settledYet = vi.fn();
  void promise.then(settledYet, settledYet);
  for (let n = 0; n < 5; n++) await nextTurn();
  return settledYet.mock.calls.length > 0;
}

describe("a second close", () => {
  test.each([
    ["with graceMs: 0", (bus: SessionEventBus) => bus.close({ graceMs: 0 })],
    ["without options", (bus: SessionEventBus) => bus.close()],
    ["with a short grace", (bus: SessionEventBus) => bus.close({ graceMs: 1 })],
  ])("%s shortens the first: runs are aborted, both resolve", async (_how, again) => {
    const { bus, done, signal } = running();
    const first = bus.close({ graceMs: LONG_MS });
    expect(await settled(first)).toBe(false);
    expect(signal.aborted).toBe(false);
    const second = again(bus);
    await within("both closes", 4_000, Promise.all([first, second]));
    expect(await done).toEqual({ status: "cancelled" });
  });

  test("with a longer grace does not lengthen the first", async () => {
    const { bus, done } = running();
    const first = bus.close({ graceMs: 1 });
    const second = bus.close({ graceMs: LONG_MS });
    await within("both closes", 4_000, Promise.all([first, second]));
    expect(await done).toEqual({ status: "cancelled" });
  });

  test("after the first has resolved, or while it resolves, is over as well", async () => {
    const { bus } = running();
    await Promise.all([bus.close(), bus.close({ graceMs: 5 }), bus.close({ graceMs: LONG_MS })]);
    await within("a third close", 4_000, bus.close({ graceMs: LONG_MS }));
    expect(bus.stats()).toMatchObject({ sessions: 0, followers: 0, bytes: 0 });
  });

  test("by a run that is waited for does not wait for itself", async () => {
    const bus = createEventBus();
    const held = deferred();
    const { done } = bus.start(async () => {
      await held.promise;
      await bus.close();
      return "closed";
    });
    const first = bus.close({ graceMs: LONG_MS });
    held.resolve();
    await within("the first close", 4_000, first);
    expect(await done).toEqual({ status: "cancelled" });
  });
});

describe.each([MOST_MS - 1, MOST_MS, MOST_MS + 1, 2 ** 40, Number.MAX_SAFE_INTEGER])(
  "a grace of %d ms",
  (graceMs) => {
    test("is no grace of 1 ms: runs go on, and end as ever", async () => {
      const bus = createEventBus();
      const held = deferred();
      const { sessionId, done } = bus.start(async ({ signal, reporter }) => {
        await held.promise;
        expect(signal.aborted).toBe(false);
        reporter.report({ message: "in time" });
      });
      const entries = recordEntries(bus, sessionId);
      const closing = bus.close({ graceMs });
      // Longer than 1 ms: as long as a timer takes that was set afterwards.
      await new Promise((resolve) => setTimeout(resolve, 20));
      held.resolve();
      expect(await done).toEqual({ status: "completed" });
      await within("close", 4_000, closing);
      expect(entries.map(describeEvent)).toEqual(["in time", "end completed"]);
    });
  },
);
