import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import {
  bindReporter,
  createEventBus,
  createReporter,
  currentReporter,
  reportProgress,
  type SessionEventBus,
  withAgent,
} from "session-progress";
import { createRecorder } from "session-progress/testing";
import { asAgentEvent, describeEvent } from "../../support/events.ts";
import { recordErrors } from "../../support/hooks.ts";
import { recordEntries, readEntries } from "../../support/session-entries.ts";
import { untyped } from "../../support/untyped.ts";
import { circular, overflow, revoked } from "../../support/hostile-values.ts";

// What reports hold and what surrounds them may be anything: reporting goes on.

beforeEach(() => {
  vi.spyOn(process, "emitWarning").mockReturnValue(undefined);
});
afterEach(() => {
  vi.restoreAllMocks();
});

const UNREADABLE: [what: string, value: unknown][] = [
  ["a revoked proxy", revoked()],
  ["a revoked array", revoked([])],
  ["a revoked function", revoked(() => undefined)],
  ["an object without a prototype", Object.create(null)],
  ["an object whose words throw", { toString: overflow, valueOf: overflow, [Symbol.toPrimitive]: overflow }],
  ["an object whose tag throws", Object.defineProperty({}, Symbol.toStringTag, { get: overflow })],
  ["a circle", circular()],
  ["a symbol", Symbol("s")],
  ["a bigint", 10n ** 400n],
];

/** Ways to report `part` to session `s`. */
const REPORTS: Record<string, (bus: SessionEventBus, part: object) => boolean> = {
  publish: (bus, part) => bus.publish("s", part),
  "reporter.report": (bus, part) => bus.reporter("s").report(part),
  reportProgress: (bus, part) => bus.reporter("s").run(() => reportProgress(part)),
  withAgent: (bus, part) => bus.reporter("s").run(() => withAgent("a", () => reportProgress(part))),
  "a tee": (bus, part) => createReporter(bus.sink("s")).report(part),
};

const FIELDS = ["message", "progress", "total", "agent", "phase"];

describe.each(Object.entries(REPORTS))("%s, when what it is given is", (_how, report) => {
  test.each(UNREADABLE.flatMap(([what, value]) => FIELDS.map((field) => ({ what, field, value }))))(
    "$what as $field, loses that part alone and says so",
    ({ field, value }) => {
      const bus = createEventBus();
      const faults = recordErrors(bus);
      const entries = recordEntries(bus, "s");
      expect(report(bus, { message: "kept", [field]: value })).toBe(true);
      expect(faults).toEqual([expect.any(TypeError)]);
      expect(faults[0]?.message).toMatch(new RegExp(`^Expected \`${field}\``));
      expect(entries.map(describeEvent)).toEqual([field === "message" ? "" : "kept"]);
    },
  );

  test.each(UNREADABLE)(
    "%s as the report, is not taken or says nothing, and throws nothing",
    (_what, value) => {
      const bus = createEventBus();
      recordErrors(bus);
      const entries = recordEntries(bus, "s");
      const taken = report(bus, untyped(value));
      expect(entries.map(describeEvent)).toEqual(taken ? [""] : []);
      expect(report(bus, { message: "next" })).toBe(true);
    },
  );

  test.each(UNREADABLE)("%s as the report, throws only TypeErrors when strict", (_what, value) => {
    const bus = createEventBus({ strict: true });
    const entries = recordEntries(bus, "s");
    try {
      report(bus, untyped(value));
    } catch (error) {
      expect(error).toBeInstanceOf(TypeError);
    }
    expect(report(bus, { message: "next" })).toBe(true);
    expect(describeEvent(entries.at(-1)!)).toBe("next");
  });
});

describe("what else may be unreadable", () => {
  test.each(UNREADABLE)("(%s) as the message of an end: it goes out without", (_what, message) => {
    const bus = createEventBus();
    const faults = recordErrors(bus);
    bus.publish("s", {});
    bus.end("s", { status: "failed", message: untyped(message) });
    expect(readEntries(bus, "s").map(describeEvent)).toEqual(["", "end failed"]);
    expect(faults).toEqual([expect.any(TypeError)]);
  });

  test.each(UNREADABLE)("(%s) as an argument: a TypeError that says which", (_what, value) => {
    const bus = createEventBus();
    const given = untyped(value);
    const misuses: [() => unknown, RegExp][] = [
      [() => bus.reporter(given), /^Expected `sessionId`/],
      [() => bus.reporter("s", { agent: given }), /^Expected `agent`/],
      [() => bus.sink(given), /^Expected `sessionId`/],
      [() => bus.follow(given), /^Expected `sessionId`/],
      [() => bus.subscribe("s", () => undefined, { after: given }), /^Expected `after`/],
      [() => bus.end("s", { status: given }), /^Expected `status`/],
      [() => bus.start(() => 1, { sessionId: given }), /^Expected `sessionId`/],
      [() => bus.close({ graceMs: given }), /^Expected `graceMs`/],
      [() => createEventBus({ maxSessions: given }), /^Expected `maxSessions`/],
      [() => createEventBus({ strict: given }), /^Expected `strict`/],
      [() => withAgent(given, () => 1), /^Expected `agent`/],
    ];
    for (const [misuse, message] of misuses) {
      expect(misuse).toThrow(TypeError);
      expect(misuse).toThrow(message);
    }
    expect(bus.publish(given, {})).toBe(false);
  });

  test.each(UNREADABLE)("(%s) in a recorder's report: a TypeError", (_what, message) => {
    const recorder = createRecorder();
    const { report } = createReporter(recorder);
    expect(() => report({ message: untyped(message) })).toThrow(/^Expected `message`/);
    report({ message: "next" });
    expect(recorder.messages).toEqual(["next"]);
  });
});

const SLOT = Symbol.for("session-progress/context/v1");

/** Calls `fn` with `store` in the shared context, as another library could have put it there. */
function under<T>(store: unknown, fn: () => T): T {
  createReporter().run(() => undefined);
  const storage = (globalThis as never)[SLOT] as { run<R>(store: unknown, fn: () => R): R };
  return storage.run(store, fn);
}

const STORES: [what: string, store: unknown][] = [
  ["no reporter", {}],
  ["null", null],
  ["a string", "store"],
  ["a reporter that is null", { reporter: null }],
  ["a reporter without report", { reporter: {} }],
  ["a report that is no function", { reporter: { report: "yes" } }],
  ["a reporter that throws when it is read", Object.defineProperty({}, "reporter", { get: overflow })],
  [
    "a report that throws when it is read",
    { reporter: Object.defineProperty({}, "report", { get: overflow }) },
  ],
  ["a revoked proxy", revoked()],
  ["a revoked reporter", { reporter: revoked() }],
];

describe("a foreign store that holds", () => {
  test.each(STORES)("%s is nobody to report to", (_what, store) => {
    const bus = createEventBus();
    recordErrors(bus);
    const seen = under(store, () => ({
      report: reportProgress({ message: "lost" }),
      agent: withAgent("a", () => reportProgress({ message: "lost" })),
      called: withAgent("a", () => "called"),
      bound: bindReporter(() => "bound")(),
      current: currentReporter()?.report({ message: "lost" }),
      // Our own context inside it is none of its business.
      own: bus.reporter("s").run(() => reportProgress({ message: "own" })),
      published: bus.publish("s", { message: "published" }),
    }));
    expect({ ...seen, current: seen.current ?? false }).toEqual({
      report: false,
      agent: false,
      called: "called",
      bound: "bound",
      current: false,
      own: true,
      published: true,
    });
    expect(readEntries(bus, "s").map(describeEvent)).toEqual(["own", "published"]);
  });

  test.each(STORES)("%s hinders no listener, hook, run or end", async (_what, store) => {
    const bus = createEventBus();
    const ends: string[] = [];
    bus.on("end", (id) => void ends.push(id));
    const entries = recordEntries(bus, "s");
    const { done } = under(store, () =>
      bus.start(({ reporter }) => reporter.report({ message: "m" }), { sessionId: "s" }),
    );
    expect((await done).status).toBe("completed");
    expect(entries.map(describeEvent)).toEqual(["m", "end completed"]);
    expect(ends).toEqual(["s"]);
  });
});

const CLOCKS: [what: string, now: () => unknown][] = [
  ["undefined", () => undefined],
  ["null", () => null],
  ["a fraction", () => 1_795_336_626_927.75],
  ["NaN", () => NaN],
  ["Infinity", () => Infinity],
  ["before 1970", () => -5.5],
  ["later than any date", () => 1e20],
  ["a bigint", () => 5n],
  ["a string", () => "today"],
  ["a revoked proxy", () => revoked()],
  ["an error", overflow],
];

describe("a clock that says", () => {
  test.each(CLOCKS)("%s leaves reports, ends and epochs as they have to be", async (_what, now) => {
    const before = createEventBus().reporter("before").epoch!;
    vi.spyOn(Date, "now").mockImplementation(untyped(now));
    const bus = createEventBus();
    const faults = recordErrors(bus);
    const entries = recordEntries(bus, "s");
    const epochs = ["s", "t"].map((id) => bus.reporter(id).epoch!);
    expect(bus.publish("s", { message: "1" })).toBe(true);
    expect(bus.reporter("s").report({ message: "2" })).toBe(true);
    const said: string[] = [];
    createReporter((event) => void said.push(describeEvent(event))).report({ message: "no bus" });
    const { done } = bus.start(({ reporter }) => reporter.report({ message: "3" }), { sessionId: "s" });
    expect((await done).status).toBe("completed");
    vi.restoreAllMocks();

    expect(said).toEqual(["no bus"]);
    expect(entries.map(describeEvent)).toEqual(["1", "2", "3", "end completed"]);
    for (const { event } of entries) {
      const { ts } = event as { ts: string };
      expect(ts).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    }
    for (const epoch of epochs) {
      expect(epoch).toMatch(/^\d{1,19}$/);
      expect(BigInt(epoch) > BigInt(before) && BigInt(epoch) < 1n << 62n).toBe(true);
    }
    expect(faults).toEqual([]);
    expect(asAgentEvent(entries[0]).msg).toBe("1");
  });
});
