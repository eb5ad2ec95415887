import { describe, expect, test } from "vitest";
import { createEventBus, createReporter, type ProgressReport, reportProgress } from "session-progress";
import { createRecorder } from "session-progress/testing";
import { asAgentEvent } from "../../support/events.ts";
import { recordErrors } from "../../support/hooks.ts";
import { recordEntries } from "../../support/session-entries.ts";
import { untyped } from "../../support/untyped.ts";

const circular: { self?: unknown } = {};
circular.self = circular;

/** A report with one bad part and one good one, what is left of it, and the sentence about it. */
const bad: [what: string, report: unknown, left: object, sentence: string][] = [
  [
    "progress that is NaN",
    { progress: NaN },
    { pct: undefined },
    "Expected `progress` to be a finite number, got NaN",
  ],
  [
    "progress that is Infinity",
    { progress: Infinity },
    { pct: undefined },
    "Expected `progress` to be a finite number, got Infinity",
  ],
  [
    "negative progress",
    { progress: -0.5 },
    { pct: undefined },
    "Expected `progress` to be 0 or more, got -0.5",
  ],
  [
    "progress as a string",
    { progress: "0.5" },
    { pct: undefined },
    'Expected `progress` to be a finite number, got "0.5" (string)',
  ],
  [
    "progress that is null",
    { progress: null },
    { pct: undefined },
    "Expected `progress` to be a finite number, got null",
  ],
  [
    "bad progress of a good total",
    { progress: NaN, total: 7 },
    { pct: undefined, progress: undefined, total: 7 },
    "Expected `progress` to be a finite number, got NaN",
  ],
  [
    "a total of zero",
    { progress: 3, total: 0 },
    { pct: undefined, progress: 3, total: undefined },
    "Expected `total` to be more than 0, got 0",
  ],
  [
    "a negative total",
    { progress: 3, total: -10 },
    { pct: undefined, progress: 3, total: undefined },
    "Expected `total` to be more than 0, got -10",
  ],
  [
    "a total that is NaN",
    { progress: 3, total: NaN },
    { pct: undefined, progress: 3, total: undefined },
    "Expected `total` to be a finite number or null, got NaN",
  ],
  [
    "an unknown phase",
    { phase: "thinking" },
    { phase: "progress" },
    'Expected `phase` to be "think", "progress", "decision" or "result", got "thinking" (string)',
  ],
  [
    "a phase that objects inherit",
    { phase: "constructor" },
    { phase: "progress" },
    'Expected `phase` to be "think", "progress", "decision" or "result", got "constructor" (string)',
  ],
  ["a message that is no string", { message: 42 }, { msg: "" }, "Expected `message` to be a string, got 42"],
  [
    "an empty agent",
    { agent: "" },
    { agent: "agent" },
    'Expected `agent` to be a string of 1 to 256 characters, got "" (string)',
  ],
  [
    "an agent that is too long",
    { agent: "x".repeat(300) },
    { agent: "x".repeat(256) },
    "Expected `agent` to be a string of 1 to 256 characters, got a string of 300 characters",
  ],
  [
    "an agent that is no string",
    { agent: ["a"] },
    { agent: "agent" },
    "Expected `agent` to be a string of 1 to 256 characters, got an array",
  ],
  [
    "data with a BigInt",
    { data: { n: 1n } },
    { data: undefined },
    "Expected `data` to be JSON: Do not know how to serialize a BigInt",
  ],
  [
    "data that is a function",
    { data: () => 1 },
    { data: undefined },
    "Expected `data` to be JSON, got a function",
  ],
  [
    "data that is a symbol",
    { data: Symbol("s") },
    { data: undefined },
    "Expected `data` to be JSON, got a symbol",
  ],
  [
    "data that says it is nothing",
    { data: { toJSON: () => undefined } },
    { data: undefined },
    "Expected `data` to be JSON, got an object",
  ],
  [
    "data whose toJSON throws",
    {
      data: {
        toJSON: () => {
          throw new Error("not today");
        },
      },
    },
    { data: undefined },
    "Expected `data` to be JSON: not today",
  ],
  [
    "data that is too large",
    { data: "x".repeat(1 << 20) },
    { data: undefined, cut: true },
    "Expected `data` to leave room in an event of 1048576 bytes, got 1048578 bytes",
  ],
];

const plain = { t: "agent_event", agent: "agent", phase: "progress", msg: "", ts: expect.any(String) };

describe("a malformed report", () => {
  test.each(bad)("with %s loses that part, and the `error` hook says why", (_what, part, left, sentence) => {
    const bus = createEventBus();
    const faults = recordErrors(bus);
    const entries = recordEntries(bus, "s");

    expect(bus.publish("s", { message: "rest", ...(part as ProgressReport) })).toBe(true);

    expect(entries).toHaveLength(1);
    expect(entries[0]?.event).toEqual({ ...plain, msg: "rest", ...left });
    expect(Object.values(entries[0]!.event)).not.toContain(undefined);
    expect(faults.map(String)).toEqual([`TypeError: ${sentence}`]);
  });

  test.each(bad)(
    "with %s throws at the code that reports when the bus is strict",
    (_what, part, _left, sentence) => {
      const bus = createEventBus({ strict: true });
      const faults = recordErrors(bus);
      const entries = recordEntries(bus, "s");
      const report = part as ProgressReport;
      const expected = new TypeError(sentence);

      expect(() => bus.publish("s", report)).toThrow(expected);
      expect(() => bus.reporter("s").report(report)).toThrow(expected);
      expect(() => bus.withSession("s", () => reportProgress(report))).toThrow(expected);
      expect(entries).toEqual([]);
      expect(faults).toEqual([]);
    },
  );

  test.each([
    ["null", null, "null"],
    ["nothing", undefined, "undefined"],
    ["a string", "almost done", '"almost done" (string)'],
    ["a number", 0.5, "0.5"],
  ])("that is %s goes nowhere", (_what, report, got) => {
    const sentence = `Expected \`report\` to be an object, got ${got}`;
    const bus = createEventBus();
    const faults = recordErrors(bus);
    const entries = recordEntries(bus, "s");

    expect(bus.publish("s", untyped(report))).toBe(false);
    expect(bus.reporter("s").report(untyped(report))).toBe(false);
    expect(bus.withSession("s", () => reportProgress(untyped(report)))).toBe(false);
    expect(entries).toEqual([]);
    expect(faults.map(String)).toEqual(Array(3).fill(`TypeError: ${sentence}`));

    const strict = createEventBus({ strict: true });
    expect(() => strict.publish("s", untyped(report))).toThrow(new TypeError(sentence));
  });

  test("with circular data loses it, and the sentence says so", () => {
    const bus = createEventBus();
    const faults = recordErrors(bus);
    const entries = recordEntries(bus, "s");
    bus.publish("s", { message: "rest", data: circular });
    expect(entries[0]?.event).not.toHaveProperty("data");
    expect(faults[0]).toBeInstanceOf(TypeError);
    expect(faults[0]?.message).toMatch(/^Expected `data` to be JSON: Converting circular structure to JSON/);
  });

  test("with data too deep to serialise loses it", () => {
    const bus = createEventBus();
    const faults = recordErrors(bus);
    const entries = recordEntries(bus, "s");
    let deep: unknown = "bottom";
    for (let i = 0; i < 200_000; i++) deep = [deep];
    bus.publish("s", { message: "rest", data: deep });
    expect(asAgentEvent(entries[0]).msg).toBe("rest");
    expect(entries[0]?.event).not.toHaveProperty("data");
    expect(faults).toHaveLength(1);
  });

  test("with several bad parts names each of them", () => {
    const bus = createEventBus();
    const faults = recordErrors(bus);
    const entries = recordEntries(bus, "s");
    bus.publish("s", untyped({ progress: "half", total: -1, phase: 3, agent: "", message: null, data: 1n }));
    expect(entries[0]?.event).toEqual(plain);
    expect(faults.map(({ message }) => /`(\w+)`/.exec(message)?.[1]).sort()).toEqual([
      "agent",
      "data",
      "message",
      "phase",
      "progress",
      "total",
    ]);
  });

  test("reaches the error hook with its session's id", () => {
    const bus = createEventBus();
    const told: unknown[] = [];
    bus.on("error", (_error, sessionId) => void told.push(sessionId));
    bus.publish("s-1", { progress: NaN });
    expect(told).toEqual(["s-1"]);
  });

  test("throws in everything of /testing", () => {
    const reporter = createReporter(createRecorder());
    expect(() => reporter.report({ progress: -1 })).toThrow(TypeError);
  });
});

describe("a report that throws when it is read", () => {
  const hostile: [what: string, report: () => ProgressReport][] = [
    [
      "getter",
      () => ({
        get message(): string {
          throw new Error("getter");
        },
      }),
    ],
    [
      "proxy",
      () =>
        new Proxy(
          {},
          {
            get: () => {
              throw new Error("proxy");
            },
          },
        ),
    ],
  ];

  describe.each(hostile)("by a %s", (what, report) => {
    test("is not taken, and told to the error hook", () => {
      const bus = createEventBus();
      const faults = recordErrors(bus);
      expect(bus.publish("s", report())).toBe(false);
      expect(bus.reporter("s").report(report())).toBe(false);
      expect(bus.withSession("s", () => reportProgress(report()))).toBe(false);
      expect(faults).toHaveLength(3);
      for (const fault of faults) {
        expect(fault).toBeInstanceOf(TypeError);
        expect(fault.cause).toMatchObject({ message: what });
      }
      expect(recordEntries(bus, "s")).toEqual([]);
    });

    test("is a TypeError when strict", () => {
      const bus = createEventBus({ strict: true });
      expect(() => bus.publish("s", report())).toThrow(TypeError);
      expect(() => bus.withSession("s", () => reportProgress(report()))).toThrow(TypeError);
    });
  });
});
