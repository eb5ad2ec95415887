import { describe, expect, test } from "vitest";
import { createEventBus, createReporter, type SessionEventBus } from "session-progress";
import { createRecorder } from "session-progress/testing";
import { asAgentEvent } from "../../support/events.ts";
import { recordErrors } from "../../support/hooks.ts";
import { readEntries, recordEntries } from "../../support/session-entries.ts";

// JSON changes some values without a word. While developing one wants to hear of it, and where it is.

class Point {
  readonly #x = 1;
  get x(): number {
    return this.#x;
  }
}

class Plain {
  a = 1;
}

class Dated {
  toJSON(): object {
    return { at: 1 };
  }
}

/** Values that JSON changes silently, each with what is left of it. */
const CHANGED: [what: string, value: () => unknown, left: unknown][] = [
  ["a Map", () => new Map([["a", 1]]), {}],
  ["an empty Map", () => new Map(), {}],
  ["a Set", () => new Set([1]), {}],
  ["a WeakMap", () => new WeakMap(), {}],
  ["an Error", () => new Error("lost"), {}],
  ["an error of a class of its own", () => new (class Own extends TypeError {})("lost"), {}],
  ["a RegExp", () => /x/, {}],
  ["a Promise", () => Promise.resolve(1), {}],
  ["an ArrayBuffer", () => new ArrayBuffer(8), {}],
  ["an instance that becomes {}", () => new Point(), {}],
  ["NaN", () => NaN, null],
  ["Infinity", () => Infinity, null],
  ["-Infinity", () => -Infinity, null],
];

/** Values that JSON takes out of arrays, putting `null` in their place. */
const IN_ARRAYS: [what: string, value: () => unknown][] = [
  ["undefined", () => undefined],
  ["a function", () => () => 1],
  ["a symbol", () => Symbol("s")],
];

/** Where in data a value may stand, and how a message may name it. */
const PLACES: [where: string, put: (value: unknown) => unknown, path: string][] = [
  ["as a property", (value) => ({ a: value }), "data.a"],
  ["in an array", (value) => [0, value], "data[1]"],
  ["deep inside", (value) => ({ list: [{ inner: { x: value } }] }), "data.list[0].inner.x"],
];

/** Ways to hand data in, with what is thrown where strict asks for that. */
const REPORTS: Record<string, (bus: SessionEventBus, data: unknown) => unknown> = {
  publish: (bus, data) => bus.publish("s", { data }),
  "reporter.report": (bus, data) => bus.reporter("s").report({ data }),
  "a tee": (bus, data) => createReporter(bus.sink("s")).report({ data }),
  "sink.event": (bus, data) =>
    bus.sink("s").event({
      t: "agent_event",
      agent: "a",
      phase: "think",
      msg: "m",
      ts: "2026-11-22T08:37:06.927Z",
      data,
    }),
};

function cases(values: typeof IN_ARRAYS, places: typeof PLACES) {
  return values.flatMap(([what, make]) =>
    places.map(([where, put, path]) => ({ what, where, path, data: () => put(make()) })),
  );
}

const everywhere = cases(
  CHANGED.map(([what, make]) => [what, make]),
  PLACES,
);
const arrays = cases(
  IN_ARRAYS,
  PLACES.filter(([, , path]) => path.endsWith("]")),
);

/** A message with every step of `path`, in whatever notation. */
function naming(path: string): RegExp {
  return new RegExp(path.match(/\w+/g)!.join("\\W+"));
}

describe.each(Object.entries(REPORTS))("strict, %s with data that holds", (_how, report) => {
  test.each([...everywhere, ...arrays])(
    "$what $where throws a TypeError that names $path",
    ({ data, path }) => {
      const bus = createEventBus({ strict: true });
      const entries = recordEntries(bus, "s");
      expect(() => report(bus, data())).toThrow(TypeError);
      expect(() => report(bus, data())).toThrow(naming(path));
      expect(entries).toEqual([]);
      expect(report(bus, { fine: true })).toBe(true);
    },
  );

  test.each(CHANGED)("%s alone throws a TypeError that names it", (_what, make) => {
    const bus = createEventBus({ strict: true });
    expect(() => report(bus, make())).toThrow(TypeError);
    expect(() => report(bus, make())).toThrow(/`?data`?/);
  });
});

describe("a recorder is strict, too:", () => {
  test.each([...everywhere, ...arrays])(
    "$what $where throws a TypeError that names $path",
    ({ data, path }) => {
      const recorder = createRecorder();
      const { report } = createReporter(recorder);
      expect(() => report({ data: data() })).toThrow(TypeError);
      expect(() => report({ data: data() })).toThrow(naming(path));
      expect(recorder.events).toEqual([]);
    },
  );
});

const FINE: [what: string, data: unknown, left: unknown][] = [
  [
    "plain data",
    { a: [1, "2", true, null, { b: {} }], c: {} },
    { a: [1, "2", true, null, { b: {} }], c: {} },
  ],
  ["null", null, null],
  ["an empty object", {}, {}],
  ["an empty array", [], []],
  ["a property that is undefined", { a: undefined, b: 1 }, { b: 1 }],
  ["only properties that are undefined", { a: undefined }, {}],
  ["an optional property deep inside", [{ a: { b: undefined } }], [{ a: {} }]],
  ["a Date", { at: new Date(0) }, { at: "1970-01-01T00:00:00.000Z" }],
  ["a URL", { url: new URL("http://localhost/a") }, { url: "http://localhost/a" }],
  ["whatever has a toJSON", { dated: new Dated() }, { dated: { at: 1 } }],
  ["an Error with a toJSON", Object.assign(new Error("e"), { toJSON: () => "said" }), "said"],
  ["a Map with a toJSON", Object.assign(new Map(), { toJSON: () => ({ said: 1 }) }), { said: 1 }],
  ["an instance that is all there", { plain: new Plain() }, { plain: { a: 1 } }],
  ["an object without a prototype", Object.assign(Object.create(null) as object, { a: 1 }), { a: 1 }],
  ["a Buffer", { bytes: Buffer.from("a") }, { bytes: { type: "Buffer", data: [97] } }],
  ["-0", { zero: -0 }, { zero: 0 }],
  ["long numbers", [1e300, Number.MAX_SAFE_INTEGER, 0.1], [1e300, Number.MAX_SAFE_INTEGER, 0.1]],
  ["boxed words", { a: Object("s") as unknown, b: Object(1) as unknown }, { a: "s", b: 1 }],
];

describe("strict data that is fine", () => {
  test.each(FINE)("(%s) is taken as JSON has it", (_what, data, left) => {
    for (const strict of [true, false]) {
      const bus = createEventBus({ strict });
      const faults = recordErrors(bus);
      const entries = recordEntries(bus, "s");
      expect(bus.publish("s", { data })).toBe(true);
      expect(asAgentEvent(entries[0]).data).toEqual(left);
      expect(faults).toEqual([]);
    }
    const recorder = createRecorder();
    createReporter(recorder).report({ data });
    expect(asAgentEvent(recorder.events[0]).data).toEqual(left);
  });
});

describe("where nobody is strict", () => {
  test.each(CHANGED)("%s goes out as JSON has it, and nobody is told", (_what, make, left) => {
    const bus = createEventBus();
    const faults = recordErrors(bus);
    const entries = recordEntries(bus, "s");
    expect(bus.publish("s", { data: { a: make() } })).toBe(true);
    expect(asAgentEvent(entries[0]).data).toEqual({ a: left });
    expect(faults).toEqual([]);
  });
});

describe("strict, an end with such data", () => {
  test.each(CHANGED)("(%s) still goes out, and it is told to the error hook", async (_what, make) => {
    const ends: ((bus: SessionEventBus) => unknown)[] = [
      (bus) => bus.end("s", { data: { a: make() } }),
      (bus) => bus.reporter("s").end({ status: "completed", data: { a: make() } }),
      (bus) => bus.start(() => 1, { sessionId: "s", result: () => ({ a: make() }) }).done,
      (bus) => bus.start(() => 1, { sessionId: "s", keepOpen: true, result: () => ({ a: make() }) }).done,
    ];
    for (const end of ends) {
      const bus = createEventBus({ strict: true });
      const faults = recordErrors(bus);
      bus.publish("s", {});
      await end(bus);
      expect(readEntries(bus, "s").at(-1)?.event).toMatchObject({ status: "completed" });
      expect(faults).toEqual([expect.any(TypeError)]);
      expect(faults[0]?.message).toMatch(naming("data.a"));
    }
  });
});
