import { describe, expect, test } from "vitest";
import { createEventBus, createReporter, isSessionProgressError, reportProgress } from "session-progress";
import { collect } from "session-progress/testing";
import { recordDrops } from "../../support/hooks.ts";
import { recordEntries } from "../../support/session-entries.ts";
import { untyped } from "../../support/untyped.ts";

describe("close", () => {
  test("refuses everything afterwards, without throwing but in start and open", async () => {
    const bus = createEventBus();
    const drops = recordDrops(bus);
    const entries = recordEntries(bus, "s");
    const kept = bus.reporter("s");
    await bus.close();
    expect(kept.report({})).toBe(false);
    expect(bus.publish("s", {})).toBe(false);
    expect(bus.withSession("s", () => reportProgress({}))).toBe(false);
    expect(createReporter(bus.sink("s")).report({})).toBe(false);
    expect(bus.end("s")).toBe(false);
    await kept.end();
    expect(drops).toEqual(Array(5).fill(["s", "closed"]));
    expect(entries).toEqual([]);
    for (const [open, message] of [
      [() => bus.start(() => undefined), "The event bus is closed; no run can start."],
      [() => void bus.open(), "The event bus is closed; no session can open."],
    ] as const) {
      expect(open).toThrow(message);
      expect(open).toThrow(
        expect.toSatisfy((error) => isSessionProgressError(error) && error.code === "closed"),
      );
    }
  });

  test("is idempotent, and leaves nothing", async () => {
    const bus = createEventBus();
    recordEntries(bus, "s");
    bus.publish("s", { message: "m" });
    bus.publish("ended", {});
    bus.end("ended");
    await Promise.all([bus.close(), bus.close()]);
    await bus.close();
    expect(bus.stats()).toMatchObject({ sessions: 0, followers: 0, bytes: 0 });
  });

  test("lets nobody follow afterwards", async () => {
    const bus = createEventBus();
    bus.publish("s", {});
    await bus.close();
    expect(recordEntries(bus, "s")).toEqual([]);
    expect(await collect(bus.follow("s"))).toEqual([]);
  });

  test.each([-1, 1.5, NaN, untyped("1")])("refuses graceMs %j", (graceMs) => {
    expect(() => createEventBus().close({ graceMs })).toThrow(
      /^Expected `graceMs` to be a whole number from 0 up/,
    );
  });
});
