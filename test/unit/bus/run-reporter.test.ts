import { describe, expect, test } from "vitest";
import { createEventBus } from "session-progress";
import { deferred } from "../../support/deferred.ts";
import { settled } from "../../support/event-loop.ts";
import { recordDrops, recordErrors } from "../../support/hooks.ts";
import { recordEntries } from "../../support/session-entries.ts";

describe("the reporter of a run", () => {
  test("ends the run as if its function had returned, when it is ended", async () => {
    const bus = createEventBus();
    const held = deferred();
    const { sessionId, done } = bus.start(async ({ reporter, signal }) => {
      await reporter.end({ status: "cancelled", message: "enough" });
      expect(signal.aborted).toBe(false);
      expect(reporter.report({})).toBe(false);
      await held.promise;
    });
    expect(await done).toEqual({ status: "cancelled", message: "enough" });
    held.resolve();
    await settled();
    expect(recordEntries(bus, sessionId).map(({ event }) => event)).toEqual([
      { t: "session_end", status: "cancelled", msg: "enough", ts: expect.any(String) },
    ]);
  });

  test.each([false, true])("never rejects its end, even with bad data (strict: %j)", async (strict) => {
    const bus = createEventBus({ strict });
    const faults = recordErrors(bus);
    for (const keepOpen of [false, true]) {
      const { done } = bus.start(({ reporter }) => reporter.end({ status: "completed", data: 1n }), {
        keepOpen,
      });
      expect(await done).toMatchObject({ status: "completed" });
    }
    expect(faults).toHaveLength(2);
  });

  test("is refused after the run, and `drop` says so", async () => {
    const bus = createEventBus();
    const drops = recordDrops(bus);
    let late: () => boolean = () => true;
    await bus.start(
      ({ reporter }) => {
        late = () => reporter.report({ message: "late" });
      },
      { sessionId: "s" },
    ).done;
    expect(late()).toBe(false);
    bus.withSession("s", () => undefined);
    expect(late()).toBe(false);
    expect(drops).toEqual(Array(2).fill(["s", "ended"]));
  });

  test("has what is thrown after its end told to the error hook: it must not get lost", async () => {
    const bus = createEventBus();
    const faults = recordErrors(bus);
    const { done } = bus.start(async ({ reporter }) => {
      await reporter.end();
      throw new Error("afterwards");
    });
    expect(await done).toEqual({ status: "completed" });
    await settled();
    expect(faults.map(({ message }) => message)).toEqual(["afterwards"]);
  });
});
