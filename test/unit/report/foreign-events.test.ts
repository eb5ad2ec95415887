import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import { createEventBus, type SessionEvent } from "session-progress";
import { describeEvent } from "../../support/events.ts";
import { recordErrors } from "../../support/hooks.ts";
import { recordEntries } from "../../support/session-entries.ts";
import { untyped } from "../../support/untyped.ts";
import { followInEveryWay, expectAllTold } from "../../support/every-follower.ts";

// Events that no reporter of this process built: another process, a worker or a broker hands them to a sink.

const ts = "2026-11-22T08:37:06.927Z";
const AGENT = { t: "agent_event", agent: "a", phase: "think", msg: "m", ts };
const RUN_END = { t: "run_end", run: "r", status: "completed", ts };
const END = { t: "session_end", status: "completed", ts };
const GAP = { t: "gap", reason: "dropped", lost: 3 };

type Case = [what: string, event: unknown];

function revoked(target: object = {}): unknown {
  const { proxy, revoke } = Proxy.revocable(target, {});
  revoke();
  return proxy;
}

function throwing(): never {
  throw new Error("unreadable");
}

function circular(): object {
  const one: Record<string, unknown> = { name: "one" };
  one["self"] = [one];
  return one;
}

function without(event: object, field: string): object {
  return Object.fromEntries(Object.entries(event).filter(([name]) => name !== field));
}

const NO_STRINGS: readonly unknown[] = [
  null,
  7,
  7n,
  true,
  {},
  ["m"],
  Symbol("m"),
  () => "m",
  new String("m"),
];
const NO_NUMBERS: readonly unknown[] = [null, "1", 3n, true, {}, [1], Symbol("1")];
const NO_DATA: readonly [string, () => unknown][] = [
  ["a bigint", () => 1n],
  ["a bigint inside", () => ({ a: [{ b: 1n }] })],
  ["a circle", circular],
  ["a function", () => () => 1],
  ["a symbol", () => Symbol("s")],
  ["a toJSON that throws", () => ({ toJSON: throwing })],
  ["a toJSON that gives a bigint", () => ({ toJSON: () => 1n })],
  ["a getter that throws", () => Object.defineProperty({}, "x", { get: throwing, enumerable: true })],
  ["a revoked proxy", () => revoked()],
  ["a revoked array inside", () => ({ list: revoked([]) })],
];

/** `base` with `field` set to each of `values`. */
function each(name: string, base: object, field: string, values: readonly unknown[]): Case[] {
  return values.map((value) => [`${name}.${field} = ${inspect(value)}`, { ...base, [field]: value }]);
}

const wholes: Case[] = [
  ["null", null],
  ["undefined", undefined],
  ["a string", "agent_event"],
  ["a number", 7],
  ["a bigint", 7n],
  ["a symbol", Symbol("event")],
  ["a function", () => AGENT],
  ["an array", [AGENT]],
  ["an empty object", {}],
  ["a revoked proxy", revoked(AGENT)],
  ["a proxy that throws", new Proxy(AGENT, { get: throwing, ownKeys: throwing })],
  ["an entry instead of its event", { id: "1-1", event: AGENT }],
  ["no t", without(AGENT, "t")],
  ["t: ready", { ...AGENT, t: "ready" }],
  ["t: an inherited name", { ...AGENT, t: "toString" }],
  ["t: null", { ...AGENT, t: null }],
  ["t: a bigint", { ...AGENT, t: 1n }],
  ["t: a symbol", { ...AGENT, t: Symbol("t") }],
  ["t: a word that throws when it is said", { ...AGENT, t: { toString: throwing } }],
];

const fields: Case[] = [
  ...["agent", "phase", "msg"].map((field): Case => [`no ${field}`, without(AGENT, field)]),
  ...["agent", "phase", "msg", "ts", "run", "task"].flatMap((field) =>
    each("agent_event", AGENT, field, NO_STRINGS),
  ),
  ...["pct", "progress", "total", "overall"].flatMap((field) =>
    each("agent_event", AGENT, field, NO_NUMBERS),
  ),
  ["agent_event.phase unknown", { ...AGENT, phase: "thinking" }],
  ["agent_event.msg unreadable", Object.defineProperty({ ...AGENT }, "msg", { get: throwing })],
  ...["run", "status"].map((field): Case => [`run_end: no ${field}`, without(RUN_END, field)]),
  ...["run", "status", "msg"].flatMap((field) => each("run_end", RUN_END, field, NO_STRINGS)),
  ["run_end.status unknown", { ...RUN_END, status: "done" }],
  ["session_end: no status", without(END, "status")],
  ...["status", "msg"].flatMap((field) => each("session_end", END, field, NO_STRINGS)),
  ["session_end.status unknown", { ...END, status: "done" }],
  ...["lost", "missed"].flatMap((field) => each("gap", without(GAP, "lost"), field, NO_NUMBERS)),
];

const data: Case[] = [AGENT, RUN_END, END].flatMap((base) =>
  NO_DATA.map(([what, make]): Case => [`${base.t}.data = ${what}`, { ...base, data: make() }]),
);

describe("an event from outside that is malformed", () => {
  test.each([...wholes, ...fields, ...data])(
    "(%s) is not taken, and told to the error hook",
    (_what, event) => {
      const bus = createEventBus();
      const told: [unknown, unknown][] = [];
      bus.on("error", (error, sessionId) => void told.push([error, sessionId]));
      const entries = recordEntries(bus, "s");
      const sink = bus.sink("s");
      expect(sink.event(untyped(event))).toBe(false);
      expect(entries).toEqual([]);
      expect(bus.stats().events).toBe(0);
      expect(told).toEqual([[expect.any(TypeError), "s"]]);
      // Nothing of it stays behind: the session takes the next event, and ends.
      expect(sink.event(AGENT as SessionEvent)).toBe(true);
      bus.end("s");
      expect(entries.map(describeEvent)).toEqual(["m", "end completed"]);
    },
  );

  test.each([...wholes, ...fields, ...data])("(%s) is a TypeError when strict", (_what, event) => {
    const bus = createEventBus({ strict: true });
    const entries = recordEntries(bus, "s");
    const sink = bus.sink("s");
    expect(() => sink.event(untyped(event))).toThrow(TypeError);
    expect(() => sink.event(untyped(event))).toThrow(/^Expected `/);
    expect(entries).toEqual([]);
    expect(sink.event(AGENT as SessionEvent)).toBe(true);
    bus.end("s");
    expect(entries.map(describeEvent)).toEqual(["m", "end completed"]);
  });

  test.each([
    ["pct", NaN],
    ["pct", Infinity],
    ["progress", -Infinity],
    ["total", NaN],
    ["overall", Infinity],
  ])("(%s: %d) puts no null on the wire", (field, value) => {
    const bus = createEventBus();
    recordErrors(bus);
    const entries = recordEntries(bus, "s");
    bus.sink("s").event(untyped({ ...AGENT, [field]: value }));
    for (const { event } of entries) {
      expect(event).not.toHaveProperty(field);
      expect(JSON.stringify(event)).not.toContain("null");
    }
  });

  test("hurts no follower of its session and of no other, in the same turn", async () => {
    const bus = createEventBus();
    recordErrors(bus);
    const sessions = ["a", "s", "z"];
    const witnesses = await Promise.all(sessions.map((id) => followInEveryWay(bus, id)));
    for (const id of sessions) bus.publish(id, { message: "before" });
    const sink = bus.sink("s");
    for (const [, event] of [...wholes, ...fields]) expect(sink.event(untyped(event))).toBe(false);
    for (const id of sessions) bus.end(id);
    for (const told of witnesses) await expectAllTold(told, ["before", "end completed"]);
  });
});

describe("the end of a sink that is handed something malformed", () => {
  test.each<Case>([
    ["nothing", undefined],
    ["null", null],
    ["an unknown status", { status: "done" }],
    ["no status", {}],
    ["a status that is a bigint", { status: 1n }],
    ["a revoked proxy", revoked()],
    ["a status that throws", Object.defineProperty({}, "status", { get: throwing })],
  ])("(%s) throws nothing and puts no such status on the wire", async (_what, outcome) => {
    const bus = createEventBus();
    const faults = recordErrors(bus);
    const witnesses = await followInEveryWay(bus, "s");
    bus.publish("s", { message: "before" });
    const sink = bus.sink("s");
    await sink.end?.(untyped(outcome));
    expect(faults).not.toEqual([]);
    bus.end("s");
    const ends = witnesses[0]!.entries.filter(({ event }) => event.t === "session_end");
    expect(ends.map(describeEvent)).toEqual([expect.stringMatching(/^end (completed|failed|cancelled)$/)]);
    await expectAllTold(witnesses, ["before", describeEvent(ends[0]!)]);
  });

  test.each(NO_DATA)("(data: %s) ends the session without it", async (_what, make) => {
    const bus = createEventBus();
    recordErrors(bus);
    const witnesses = await followInEveryWay(bus, "s");
    await bus.sink("s").end?.({ status: "failed", data: make() });
    await expectAllTold(witnesses, ["end failed"]);
  });
});
