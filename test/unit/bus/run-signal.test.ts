import { describe, expect, test, vi } from "vitest";
import { createEventBus, currentReporter, isSessionProgressError, reportProgress } from "session-progress";
import { aborted } from "../../support/aborted.ts";
import { deferred } from "../../support/deferred.ts";
import { settled } from "../../support/event-loop.ts";
import { describeEvent } from "../../support/events.ts";
import { recordErrors } from "../../support/hooks.ts";
import { recordEntries } from "../../support/session-entries.ts";

describe("the signal of a run", () => {
  test("aborts when its session is ended from elsewhere; `done` is `cancelled`, however it ended", async () => {
    const bus = createEventBus();
    const faults = recordErrors(bus);
    let reason: unknown;
    const { sessionId, done } = bus.start(async ({ signal }) => {
      reason = await aborted(signal);
      throw reason;
    });
    bus.end(sessionId, { status: "failed", message: "by the user" });
    expect(await done).toEqual({ status: "cancelled" });
    await settled();
    expect(isSessionProgressError(reason) && reason.code).toBe("ended");
    expect(recordEntries(bus, sessionId).map(describeEvent)).toEqual(["end failed"]);
    expect(faults).toEqual([]);
  });

  test("aborts in every run of the session", async () => {
    const bus = createEventBus();
    const runs = [true, false, true].map((keepOpen) =>
      bus.start(({ signal }) => aborted(signal), { sessionId: "s", keepOpen }),
    );
    bus.end("s", { status: "failed" });
    expect((await Promise.all(runs.map(({ done }) => done))).map(({ status }) => status)).toEqual(
      Array(3).fill("cancelled"),
    );
  });

  test("aborts when a run that does not keep the session open ends it for the others", async () => {
    const bus = createEventBus();
    const other = bus.start(({ signal }) => aborted(signal), { sessionId: "s", keepOpen: true });
    await bus.start(() => undefined, { sessionId: "s" }).done;
    expect((await other.done).status).toBe("cancelled");
  });

  test("does not abort when the run is over", async () => {
    const bus = createEventBus();
    const onAbort = vi.fn();
    const { sessionId, done } = bus.start(({ signal }) => signal.addEventListener("abort", onAbort));
    await done;
    bus.end(sessionId);
    await bus.close();
    expect(onAbort).not.toHaveBeenCalled();
  });

  test("aborts at once when the bus closes without grace; no end is written", async () => {
    const bus = createEventBus();
    const ends = vi.fn();
    bus.on("end", ends);
    const { sessionId, done } = bus.start(({ signal }) => aborted(signal));
    const entries = recordEntries(bus, sessionId);
    await bus.close();
    expect(await done).toEqual({ status: "cancelled" });
    expect(entries).toEqual([]);
    expect(ends).not.toHaveBeenCalled();
  });

  test("aborts under no ambient reporter: neither the run's nor that of whoever ended it", async () => {
    const bus = createEventBus();
    const ambient: unknown[] = [];
    const { done } = bus.start(
      ({ signal }) =>
        new Promise<void>((resolve) => {
          signal.addEventListener("abort", () => {
            ambient.push(currentReporter());
            resolve();
          });
        }),
      { sessionId: "victim" },
    );
    bus.withSession("other", () => bus.end("victim"));
    await done;
    expect(ambient).toEqual([undefined]);
  });

  test("waits for the grace, in which runs may report and end as ever", async () => {
    const bus = createEventBus();
    const held = deferred();
    const { sessionId, done } = bus.start(async ({ signal }) => {
      await held.promise;
      expect(signal.aborted).toBe(false);
      reportProgress({ message: "in time" });
    });
    const entries = recordEntries(bus, sessionId);
    const closing = bus.close({ graceMs: 60_000 });
    expect(() => bus.start(() => undefined)).toThrow("closed");
    held.resolve();
    await closing;
    expect(await done).toEqual({ status: "completed" });
    expect(entries.map(describeEvent)).toEqual(["in time", "end completed"]);
  });

  test("aborts when the grace is over", async () => {
    const bus = createEventBus();
    const { done } = bus.start(({ signal }) => aborted(signal));
    await bus.close({ graceMs: 5 });
    expect(await done).toEqual({ status: "cancelled" });
  });
});
