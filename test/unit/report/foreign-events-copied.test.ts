import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { createEventBus, type SessionEntry, type SessionEvent, type SessionEventBus } from "session-progress";
import { expectAllTold, followInEveryWay } from "../../support/every-follower.ts";
import { asAgentEvent, describeEvent } from "../../support/events.ts";
import { recordErrors } from "../../support/hooks.ts";
import { recordEntries, readEntries } from "../../support/session-entries.ts";
import { untyped } from "../../support/untyped.ts";

// What is in a log is what was handed over at that moment, whatever its owner does with it afterwards.

const ts = "2026-11-22T08:37:06.927Z";
const AGENT = { t: "agent_event", agent: "a", phase: "think", msg: "m", ts } as const;

type Data = Record<string, unknown>;

/** Ways to put data into session `s` and go on owning it. */
const WAYS_IN: [way: string, put: (bus: SessionEventBus, data: Data) => unknown][] = [
  ["sink.event", (bus, data) => bus.sink("s").event({ ...AGENT, data })],
  ["sink.event, frozen", (bus, data) => bus.sink("s").event(Object.freeze({ ...AGENT, data }))],
  [
    "sink.event of a run_end",
    (bus, data) => bus.sink("s").event({ t: "run_end", run: "r", status: "completed", data, ts }),
  ],
  ["publish", (bus, data) => bus.publish("s", { data })],
  ["reporter.report", (bus, data) => bus.reporter("s").report({ data })],
  [
    "sink.event of an end",
    (bus, data) => bus.sink("s").event({ t: "session_end", status: "completed", data, ts }),
  ],
  ["sink.end", (bus, data) => bus.sink("s").end?.({ status: "completed", data })],
  ["bus.end", (bus, data) => void (bus.publish("s", {}), bus.end("s", { data }))],
];

/** What owners do with their data later. */
const LATER: [what: string, change: (data: Data) => unknown][] = [
  ["changes it", (data) => (data["n"] = 2)],
  ["changes what lies in it", (data) => ((data["inner"] as Data)["n"] = 2)],
  ["empties it", (data) => Object.keys(data).forEach((name) => Reflect.deleteProperty(data, name))],
  ["makes it circular", (data) => ((data["inner"] as Data)["self"] = data)],
  ["puts a bigint into it", (data) => (data["n"] = 3n)],
  [
    "gives it a toJSON that throws",
    (data) =>
      (data["toJSON"] = () => {
        throw new Error("late");
      }),
  ],
  [
    "gives it a getter that throws",
    (data) =>
      Object.defineProperty(data, "n", {
        get: () => {
          throw new Error("late");
        },
      }),
  ],
];

const CASES = WAYS_IN.flatMap(([way, put]) => LATER.map(([what, change]) => ({ way, put, what, change })));

describe("data handed over and changed by its owner in the same turn", () => {
  test.each(CASES)("by $way, $what: everybody is told what it was", async ({ put, change }) => {
    const bus = createEventBus();
    const faults = recordErrors(bus);
    const [ours, others] = [await followInEveryWay(bus, "s"), await followInEveryWay(bus, "other")];
    const data: Data = { n: 1, inner: { n: 1 } };
    put(bus, data);
    change(data);
    bus.publish("other", { message: "unharmed" });
    for (const id of ["s", "other"]) bus.end(id);
    await expectAllTold(others, ["unharmed", "end completed"]);
    await expectAllTold(ours, readEntries(bus, "s").map(describeEvent));
    for (const { entries } of ours) {
      expect(entries.map(({ event }) => event)).toContainEqual(
        expect.objectContaining({ data: { n: 1, inner: { n: 1 } } }),
      );
    }
    expect(faults).toEqual([]);
  });
});

describe("a foreign event", () => {
  test.each([
    ["plain", (event: object) => event],
    ["frozen", Object.freeze],
    ["sealed", Object.seal],
  ])("that is %s stays as it was when its owner changes it", (_how, hold) => {
    const bus = createEventBus();
    const entries = recordEntries(bus, "s");
    const event = { ...AGENT, data: { list: [1] } };
    expect(bus.sink("s").event(hold(event) as SessionEvent)).toBe(true);
    event.data.list.push(2);
    Reflect.set(event, "msg", "changed");
    Reflect.set(event, "data", null);
    expect(entries[0]?.event).toEqual({ ...AGENT, data: { list: [1] } });
    expect(readEntries(bus, "s")[0]?.event).toEqual({ ...AGENT, data: { list: [1] } });
  });

  test("leaves its owner's objects alone, and is frozen in all its depth itself", () => {
    const bus = createEventBus();
    const entries = recordEntries(bus, "s");
    const event = { ...AGENT, data: { list: [{ n: 1 }] } };
    bus.sink("s").event(event);
    for (const owned of [event, event.data, event.data.list, event.data.list[0]]) {
      expect(Object.isFrozen(owned)).toBe(false);
    }
    const kept = entries[0]!.event as typeof event;
    for (const held of [kept, kept.data, kept.data.list, kept.data.list[0]]) {
      expect(Object.isFrozen(held)).toBe(true);
    }
  });

  test("handed over twice, and changed between, makes two different entries", () => {
    const bus = createEventBus();
    const sink = bus.sink("s");
    const event = { ...AGENT, data: { n: 1 } };
    sink.event(event);
    event.data.n = 2;
    sink.event(event);
    const held = readEntries(bus, "s").map((entry) => asAgentEvent(entry).data);
    expect(held).toEqual([{ n: 1 }, { n: 2 }]);
  });

  test.each([
    [
      "a getter",
      () => ({
        ...AGENT,
        get msg() {
          return `${++reads}`;
        },
      }),
    ],
    [
      "a frozen getter",
      () =>
        Object.freeze({
          ...AGENT,
          get msg() {
            return `${++reads}`;
          },
        }),
    ],
    ["a toJSON of its data", () => ({ ...AGENT, data: { toJSON: () => ++reads } })],
    [
      "a getter in its data",
      () => ({
        ...AGENT,
        data: {
          get n() {
            return ++reads;
          },
        },
      }),
    ],
    [
      "a proxy",
      () =>
        new Proxy(
          { ...AGENT },
          { get: (of, name) => (name === "msg" ? `${++reads}` : Reflect.get(of, name)) },
        ),
    ],
  ])("that says something else at each look (%s) is the same for all", async (_what, make) => {
    reads = 0;
    const bus = createEventBus();
    const witnesses = await followInEveryWay(bus, "s");
    expect(bus.sink("s").event(make())).toBe(true);
    const looks = reads;
    await turn();
    bus.end("s");
    await expectAllTold(witnesses, readEntries(bus, "s").map(describeEvent));
    expect(reads).toBe(looks);
  });

  test("that is an instance of a class is taken whole or not at all", async () => {
    class Foreign {
      t = "agent_event";
      agent = "a";
      phase = "think";
      ts = ts;
      readonly #words = ["m"];
      get msg(): string {
        return this.#words.join(" ");
      }
    }
    const bus = createEventBus();
    const faults = recordErrors(bus);
    const taken = bus.sink("s").event(untyped(new Foreign()));
    expect(readEntries(bus, "s").map(describeEvent)).toEqual(taken ? ["m"] : []);
    expect(faults).toHaveLength(taken ? 0 : 1);
  });

  test("with fields that nobody knows hurts nobody, whatever they hold", async () => {
    const bus = createEventBus();
    recordErrors(bus);
    const [ours, others] = [await followInEveryWay(bus, "s"), await followInEveryWay(bus, "other")];
    const circle: Data = {};
    circle["self"] = circle;
    for (const extra of [1n, circle, () => 1, Symbol("s"), NaN]) {
      bus.sink("s").event(untyped({ ...AGENT, msg: "x", extra }));
    }
    bus.publish("s", { message: "after" });
    bus.publish("other", { message: "unharmed" });
    for (const id of ["s", "other"]) bus.end(id);
    await expectAllTold(others, ["unharmed", "end completed"]);
    await expectAllTold(ours, readEntries(bus, "s").map(describeEvent));
  });
});

let reads = 0;

describe("events passed on from one bus to another", () => {
  /** A chat: two runs, the end. */
  function filled(): SessionEventBus {
    const bus = createEventBus();
    bus.publish("s", { message: "one", progress: 1, total: 3, data: { deep: [{ n: 1 }] } });
    bus.start(({ reporter }) => void reporter.report({ message: "two", agent: "b" }), {
      sessionId: "s",
      keepOpen: true,
    });
    return bus;
  }

  test.each([
    ["as they are", (event: SessionEvent) => event],
    ["as they come out of a worker", (event: SessionEvent) => structuredClone(event)],
    ["as they come off a wire", (event: SessionEvent): SessionEvent => JSON.parse(JSON.stringify(event))],
  ])("%s arrive unchanged, and nobody is told of a fault", async (_how, carry) => {
    const [from, to] = [filled(), createEventBus({ strict: true })];
    const faults = recordErrors(to);
    const sink = to.sink("copy");
    const witnesses = await followInEveryWay(to, "copy");
    from.subscribe("s", ({ event }) => expect(sink.event(carry(event))).toBe(true), { after: "start" });
    await turn();
    from.end("s", { status: "failed", message: "why", data: [1] });
    const bare = (entries: readonly SessionEntry[]): SessionEvent[] => entries.map(({ event }) => event);
    expect(bare(readEntries(to, "copy"))).toEqual(bare(readEntries(from, "s")));
    await expectAllTold(witnesses, ["one", "two", "run completed", "end failed"]);
    expect(faults).toEqual([]);
  });
});
