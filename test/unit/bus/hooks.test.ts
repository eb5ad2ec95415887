import { describe, expect, test, vi } from "vitest";
import { createEventBus, currentReporter, type SessionEventBus } from "session-progress";
import { settled } from "../../support/event-loop.ts";
import { describeEvent } from "../../support/events.ts";
import { recordErrors } from "../../support/hooks.ts";
import { untyped } from "../../support/untyped.ts";
import { warningsDuring } from "../../support/warnings.ts";
import { waysToFail } from "../../support/ways-to-fail.ts";

describe("hooks", () => {
  test.each([null, "alice", { id: 7 }])(
    "tell of events, runs, ends, gaps, drops and errors, each with its session and its owner (%j)",
    async (owner) => {
      const bus = createEventBus({ history: { maxEvents: 1 } });
      const told: unknown[] = [];
      bus.on("event", (id, entry, ...rest) => void told.push(["event", id, describeEvent(entry), ...rest]));
      bus.on("run", (id, { status }, ...rest) => void told.push(["run", id, status, ...rest]));
      bus.on("end", (id, { status }, ...rest) => void told.push(["end", id, status, ...rest]));
      bus.on("gap", (id, gap, ...rest) => void told.push(["gap", id, describeEvent(gap), ...rest]));
      bus.on("drop", (...args) => void told.push(["drop", ...args]));
      bus.on("error", (error, id) => void told.push(["error", id, error.name]));
      await bus.open({ sessionId: "s", ...(owner !== null && { owner }) });
      bus.publish("s", { message: "1" });
      bus.publish("s", { message: "2", progress: NaN });
      bus.subscribe("s", () => undefined);
      const { run, done } = bus.start(() => undefined, { sessionId: "s", keepOpen: true });
      await done;
      await bus.start(() => undefined, { sessionId: "s" }).done;
      bus.publish("s", {});
      expect(told).toEqual([
        ["event", "s", "1", owner],
        ["error", "s", "TypeError"],
        ["event", "s", "2", owner],
        ["gap", "s", "gap behind 1", owner],
        ["run", "s", "completed", owner, run],
        ["event", "s", "run completed", owner],
        ["run", "s", "completed", owner, undefined],
        ["event", "s", "end completed", owner],
        ["end", "s", "completed", owner],
        ["drop", "s", "ended", owner],
      ]);
    },
  );

  test("are many to a name, called in their order; off takes one away, once is over after one", () => {
    const bus = createEventBus();
    const order: string[] = [];
    const a = (): void => void order.push("a");
    const b = (): void => void order.push("b");
    bus.on("event", a);
    bus.once("event", b);
    bus.on("event", a);
    bus.publish("s", {});
    bus.off("event", a);
    bus.off("event", b);
    bus.publish("s", {});
    expect(order).toEqual(["a", "b", "a", "a"]);
    bus.once("event", b);
    bus.off("event", b);
    bus.publish("s", {});
    expect(order).toEqual(["a", "b", "a", "a", "a"]);
  });

  test("of once are called once even when they report themselves", () => {
    const bus = createEventBus();
    const hook = vi.fn(() => void bus.publish("s", {}));
    bus.once("event", hook);
    bus.publish("s", {});
    expect(hook).toHaveBeenCalledOnce();
  });

  test("return nothing when they are registered", () => {
    const bus = createEventBus();
    const hook = (): void => undefined;
    expect([bus.on("event", hook), bus.once("event", hook), bus.off("event", hook)]).toEqual(
      Array(3).fill(undefined),
    );
  });

  test.each(["progress", "message", "__proto__", "constructor", "toString"])(
    "named %j do not exist: the TypeError says what does, and points to bus.subscribe",
    (name) => {
      const bus = createEventBus();
      for (const method of [bus.on, bus.once, bus.off]) {
        expect(() =>
          method(
            untyped(name),
            untyped(() => undefined),
          ),
        ).toThrow(
          new TypeError(
            `Expected the name of a hook (event, run, end, gap, drop, error), got a string of ${name.length} characters; to follow a session use bus.subscribe`,
          ),
        );
      }
    },
  );

  test("must be functions", () => {
    expect(() => createEventBus().on("event", untyped("log"))).toThrow(
      /^Expected `hook` to be a function, got a value of type string/,
    );
  });

  test("run under no ambient reporter", () => {
    const bus = createEventBus();
    const ambient: unknown[] = [];
    bus.on("event", () => void ambient.push(currentReporter()));
    bus.on("error", () => void ambient.push(currentReporter()));
    bus.withSession("s", () => currentReporter()?.report({ progress: NaN }));
    expect(ambient).toEqual([undefined, undefined]);
  });

  test.each(waysToFail("hook"))("hurt nobody when one %s, and `error` is told", async (_how, hook) => {
    const bus = createEventBus();
    const faults = recordErrors(bus);
    const after = vi.fn();
    for (const name of ["event", "end", "drop"] as const) {
      bus.on(name, hook);
      bus.on(name, after);
    }
    expect(bus.publish("s", {})).toBe(true);
    bus.end("s");
    bus.publish("s", {});
    await settled();
    expect(after).toHaveBeenCalledTimes(4);
    expect(faults.map(({ message }) => message)).toEqual(Array(4).fill("hook"));
  });
});

describe("the error hook", () => {
  test("without listeners never throws: the process is warned once", async () => {
    const bus = createEventBus();
    const warnings = await warningsDuring(() => {
      expect(bus.publish("s", { progress: NaN })).toBe(true);
      expect(bus.publish("s", { progress: -1 })).toBe(true);
    });
    expect(warnings).toEqual([
      "Expected `progress` to be a finite number, got NaN (listen to the bus's `error` hook to see all of these)",
    ]);
  });

  test("that throws or rejects itself ends in one process warning, not in a loop", async () => {
    const bus = createEventBus();
    const hook = vi.fn(() => {
      throw new Error("again");
    });
    bus.on("error", hook);
    bus.on("error", () => Promise.reject(new Error("again")));
    const warnings = await warningsDuring(() => {
      expect(bus.publish("s", { progress: NaN })).toBe(true);
      expect(bus.publish("s", { progress: NaN })).toBe(true);
    });
    expect(hook).toHaveBeenCalledTimes(2);
    expect(warnings).toEqual(["An `error` hook threw: again"]);
  });
});

describe("a session id in the wrong place", () => {
  const id = "user-42-secret";

  test.each([
    ["the name of a hook", (bus: SessionEventBus) => bus.on(untyped(id), untyped(vi.fn()))],
    ["a hook", (bus: SessionEventBus) => bus.on("event", untyped(id))],
    ["the function of a run", (bus: SessionEventBus) => bus.start(untyped(id))],
    ["a listener", (bus: SessionEventBus) => bus.subscribe("s", untyped(id))],
    ["another id", (bus: SessionEventBus) => bus.reporter(`${id} `)],
  ])("is not in the error's message: as %s", (_where, misuse) => {
    expect(() => misuse(createEventBus())).toThrow(
      expect.toSatisfy(
        (error: unknown) => error instanceof TypeError && !error.message.includes(id),
        "a TypeError without the id",
      ),
    );
  });
});
