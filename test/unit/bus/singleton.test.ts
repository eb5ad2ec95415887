import { afterEach, describe, expect, test } from "vitest";
import { createEventBus, isSessionProgressError, type EventBusOptions } from "session-progress";
import { HostileBackplane, HostileStore } from "../../support/hostile-backplane.ts";
import { untyped } from "../../support/untyped.ts";
import { warningsDuring } from "../../support/warnings.ts";

const SLOT = Symbol.for("session-progress/singletons/v1");
const slots = globalThis as { [SLOT]?: Map<string, unknown[]> | undefined };

afterEach(() => {
  slots[SLOT] = new Map();
});

describe("createEventBus({ singleton })", () => {
  test("is one bus of this name; other names and none make others", () => {
    const bus = createEventBus({ singleton: "app" });
    expect(createEventBus({ singleton: "app" })).toBe(bus);
    expect(createEventBus({ singleton: "other" })).not.toBe(bus);
    expect(createEventBus()).not.toBe(bus);
    expect(createEventBus({ singleton: undefined })).not.toBe(bus);
  });

  test.each<[string, EventBusOptions, EventBusOptions]>([
    [
      "the same",
      { retentionMs: 5, history: { maxEvents: 9 } },
      { history: { maxEvents: 9 }, retentionMs: 5 },
    ],
    ["defaults, spelt out", {}, { strict: false, maxSessions: 100_000, history: {}, idleMs: undefined }],
    [
      "backplanes made by the same line, as another bundle makes its own",
      { backplane: new HostileBackplane(new HostileStore(1)) },
      { backplane: new HostileBackplane(new HostileStore(1)) },
    ],
  ])("says nothing of options that are %s", async (_what, first, second) => {
    expect(
      await warningsDuring(() => {
        const bus = createEventBus({ ...first, singleton: "app" });
        expect(createEventBus({ ...second, singleton: "app" })).toBe(bus);
      }),
    ).toEqual([]);
  });

  test.each<[string, EventBusOptions]>([
    ["a limit", { maxFollowers: 5 }],
    ["a limit of the history", { history: { maxEvents: 5 } }],
    ["strict", { strict: true }],
    ["a backplane", { backplane: new HostileBackplane(new HostileStore(1)) }],
  ])("keeps the first options and warns once of others: %s", async (_what, other) => {
    const bus = createEventBus({ singleton: "app" });
    const warnings = await warningsDuring(() => {
      for (let i = 0; i < 3; i++) expect(createEventBus({ ...other, singleton: "app" })).toBe(bus);
    });
    expect(warnings).toEqual(['The event bus "app" exists with other options: the first count']);
  });

  test("is free again as soon as `close` is called", async () => {
    const bus = createEventBus({ singleton: "app" });
    const closed = bus.close();
    const next = createEventBus({ singleton: "app", retentionMs: 5 });
    expect(next).not.toBe(bus);
    await closed;
    await bus.close();
    expect(createEventBus({ singleton: "app", retentionMs: 5 })).toBe(next);
    expect(() => bus.start(() => undefined)).toThrow(expect.toSatisfy(isSessionProgressError));
    expect((await next.start(() => undefined).done).status).toBe("completed");
  });

  test("a close that is refused frees nothing", () => {
    const bus = createEventBus({ singleton: "app" });
    expect(() => bus.close({ graceMs: -1 })).toThrow(TypeError);
    expect(createEventBus({ singleton: "app" })).toBe(bus);
  });

  test("leaves a bus of other internals alone, makes its own beside it, and warns", async () => {
    const foreign = { hub: Symbol.for("session-progress/bus/v0"), settings: "", bus: {}, warned: false };
    slots[SLOT] = new Map([["app", [foreign]]]);
    const made: unknown[] = [];
    const warnings = await warningsDuring(() => {
      for (let i = 0; i < 3; i++) made.push(createEventBus({ singleton: "app" }));
    });
    expect(warnings).toEqual([
      'The event bus "app" is another version\'s of session-progress: here is a second one',
    ]);
    expect(new Set(made).size).toBe(1);
    expect(made[0]).not.toBe(foreign.bus);
    await createEventBus({ singleton: "app" }).close();
    expect(slots[SLOT].get("app")).toEqual([foreign]);
  });

  test.each(["", 1, null, {}, true])("%j is no name: a TypeError", (bad) => {
    expect(() => createEventBus({ singleton: untyped(bad) })).toThrow(
      /^Expected `singleton` to be a name, got/,
    );
  });

  test("a malformed option is a TypeError also when the bus is there", () => {
    createEventBus({ singleton: "app" });
    expect(() => createEventBus({ singleton: "app", retentionMs: 0 })).toThrow(TypeError);
  });
});
