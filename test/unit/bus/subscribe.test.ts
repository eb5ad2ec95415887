import { describe, expect, test } from "vitest";
import { createEventBus, currentReporter, reportProgress, type SessionEntry } from "session-progress";
import { settled } from "../../support/event-loop.ts";
import { describeEvent, positionsOf } from "../../support/events.ts";
import { recordEntries } from "../../support/session-entries.ts";
import { untyped } from "../../support/untyped.ts";
import { warningsDuring } from "../../support/warnings.ts";
import { waysToFail } from "../../support/ways-to-fail.ts";

describe("subscribe", () => {
  test('starts at the start, or with what `after` says: "now", an id', () => {
    const bus = createEventBus();
    for (const message of ["1", "2", "3"]) bus.publish("s", { message });
    const all = recordEntries(bus, "s");
    const heard = (after?: string): string[] => {
      const said: string[] = [];
      bus.subscribe("s", (entry) => void said.push(describeEvent(entry)), { after });
      return said;
    };
    const [bare, now, start, second] = [heard(), heard("now"), heard("start"), heard(all[1]?.id)];
    expect(start).toEqual(["1", "2", "3"]);
    bus.publish("s", { message: "4" });
    expect(bare).toEqual(start);
    expect(now).toEqual(["4"]);
    expect(start).toEqual(["1", "2", "3", "4"]);
    expect(second).toEqual(["3", "4"]);
  });

  test("tells a bad `after` as a reset gap, then reads from the start", () => {
    const bus = createEventBus();
    bus.publish("s", { message: "1" });
    const heard: SessionEntry[] = [];
    bus.subscribe("s", (entry) => void heard.push(entry), { after: "123-7" });
    expect(heard.map(describeEvent)).toEqual(["gap reset", "1"]);
    expect(positionsOf(heard)).toEqual([0, 1]);
    expect(heard[0]?.event).toEqual({ t: "gap", reason: "reset" });
  });

  test("sees every entry live, whatever the history keeps", () => {
    const bus = createEventBus({ history: { maxEvents: 1 } });
    const entries = recordEntries(bus, "s");
    for (let i = 0; i < 100; i++) bus.publish("s", { message: `${i}` });
    expect(positionsOf(entries)).toEqual(Array.from({ length: 100 }, (_, i) => i + 1));
  });

  test("delivers reports made by a listener after the current one, in the same order to all", () => {
    const bus = createEventBus();
    const order: string[] = [];
    bus.subscribe("s", (entry) => {
      order.push(`first ${describeEvent(entry)}`);
      if (describeEvent(entry) === "1") {
        expect(bus.publish("s", { message: "2" })).toBe(true);
        bus.publish("s", { message: "3" });
        order.push("first is done with 1");
      }
      if (describeEvent(entry) === "2") bus.publish("s", { message: "4" });
    });
    bus.subscribe("s", (entry) => void order.push(`second ${describeEvent(entry)}`));
    bus.publish("s", { message: "1" });
    expect(order).toEqual([
      "first 1",
      "first is done with 1",
      "second 1",
      "first 2",
      "second 2",
      "first 3",
      "second 3",
      "first 4",
      "second 4",
    ]);
  });

  test("delivers across sessions that report to each other", () => {
    const bus = createEventBus();
    const [a, b] = [recordEntries(bus, "a"), recordEntries(bus, "b")];
    bus.subscribe("a", (entry) => a.length < 5 && bus.publish("b", { message: describeEvent(entry) }));
    bus.subscribe("b", (entry) => void bus.publish("a", { message: `${describeEvent(entry)}'` }));
    bus.publish("a", { message: "x" });
    expect(a.map(describeEvent)).toEqual(["x", "x'", "x''", "x'''", "x''''"]);
    expect(b.map(describeEvent)).toEqual(["x", "x'", "x''", "x'''"]);
  });

  test("runs listeners under no ambient reporter", () => {
    const bus = createEventBus();
    const ambient: unknown[] = [];
    const note = (): void => void ambient.push(currentReporter());
    bus.publish("s", {});
    bus.withSession("other", () => {
      bus.subscribe("s", note, { after: "start" });
      bus.publish("s", {});
    });
    bus.withSession("s", () => reportProgress({}));
    expect(ambient).toEqual([undefined, undefined, undefined]);
  });

  test.each(waysToFail("boom"))(
    "hurts nobody when a listener %s: the error hook is told",
    async (_how, listener) => {
      const bus = createEventBus({ strict: true });
      const told: unknown[] = [];
      bus.on("error", (error, sessionId) => void told.push(error.message, sessionId));
      bus.publish("s", { message: "1" });
      bus.subscribe("s", listener, { after: "start" });
      const entries = recordEntries(bus, "s");
      expect(bus.publish("s", { message: "2" })).toBe(true);
      await settled();
      expect(entries.map(describeEvent)).toEqual(["1", "2"]);
      expect(told).toEqual(["boom", "s", "boom", "s"]);
    },
  );

  test("warns the process once when a listener throws and nobody listens to the hook", async () => {
    const bus = createEventBus();
    bus.subscribe("s", () => {
      throw new Error("boom");
    });
    const warnings = await warningsDuring(() => {
      bus.publish("s", {});
      bus.publish("s", {});
    });
    expect(warnings).toEqual(["boom (listen to the bus's `error` hook to see all of these)"]);
  });

  test("stops for a listener that is unsubscribed while an event is delivered", () => {
    const bus = createEventBus();
    const heard: string[] = [];
    bus.subscribe("s", (entry) => {
      heard.push(`a ${describeEvent(entry)}`);
      stopB();
      stopA();
    });
    const stopA = bus.subscribe("s", (entry) => void heard.push(`A ${describeEvent(entry)}`));
    const stopB = bus.subscribe("s", (entry) => void heard.push(`B ${describeEvent(entry)}`));
    bus.subscribe("s", (entry) => void heard.push(`z ${describeEvent(entry)}`));
    bus.publish("s", { message: "1" });
    expect(heard).toEqual(["a 1", "z 1"]);
  });

  test("tells one that joins while an event is delivered what comes after, or all", () => {
    const bus = createEventBus();
    const [now, start]: [string[], string[]] = [[], []];
    const stop = bus.subscribe("s", () => {
      stop();
      bus.publish("s", { message: "2" });
      bus.subscribe("s", (entry) => void now.push(describeEvent(entry)), { after: "now" });
      bus.subscribe("s", (entry) => void start.push(describeEvent(entry)));
      bus.publish("s", { message: "3" });
    });
    bus.publish("s", { message: "1" });
    expect(now).toEqual(["3"]);
    expect(start).toEqual(["1", "2", "3"]);
  });

  test("may be stopped twice", () => {
    const bus = createEventBus();
    const other = recordEntries(bus, "s");
    const stop = bus.subscribe("s", () => undefined);
    stop();
    stop();
    bus.publish("s", {});
    expect(other).toHaveLength(1);
    expect(bus.stats().followers).toBe(1);
  });

  test("stops when its signal aborts, also in the middle of a replay", () => {
    const bus = createEventBus();
    for (const message of ["1", "2", "3"]) bus.publish("s", { message });
    const heard: string[] = [];
    const controller = new AbortController();
    const options = { after: "start", signal: controller.signal };
    bus.subscribe("s", (entry) => heard.push(describeEvent(entry)) === 2 && controller.abort(), options);
    bus.publish("s", { message: "4" });
    bus.subscribe("s", (entry) => void heard.push(describeEvent(entry)), options);
    expect(heard).toEqual(["1", "2"]);
    expect(bus.stats().followers).toBe(0);
  });

  test("replays what the listener itself reports meanwhile, once", () => {
    const bus = createEventBus();
    bus.publish("s", { message: "1" });
    const heard: string[] = [];
    bus.subscribe(
      "s",
      (entry) => heard.push(describeEvent(entry)) === 1 && bus.publish("s", { message: "2" }),
      {
        after: "start",
      },
    );
    bus.publish("s", { message: "3" });
    expect(heard).toEqual(["1", "2", "3"]);
  });

  test.each([
    ["a listener", "s", untyped(undefined), {}],
    ["`after`", "s", () => undefined, { after: untyped(5) }],
  ])("refuses what is no %s", (_what, id, listener, options) => {
    expect(() => createEventBus().subscribe(id, listener, options)).toThrow(TypeError);
  });
});
