import { setImmediate as turn } from "node:timers/promises";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { createEventBus, createReporter, type SessionEventBus, withAgent } from "session-progress";
import { sseHandler } from "session-progress/fetch";
import { eventually } from "../../support/eventually.ts";
import { expectAllTold, followInEveryWay } from "../../support/every-follower.ts";
import { describeEvent } from "../../support/events.ts";
import { readEntries } from "../../support/session-entries.ts";
import { untyped } from "../../support/untyped.ts";
import { THROWERS } from "../../support/hostile-values.ts";

// Wherever foreign code runs, it may throw. Afterwards its session and every other one still deliver
// everything, and end.

type Boom = () => never;

interface Place {
  readonly where: string;
  /** Whether the `error` hook is told; else it is the caller that hears of it, or the fault is nobody's. */
  readonly told?: boolean;
  /** Puts the code that throws where it is called by the events of session `s`. */
  readonly arm?: (bus: SessionEventBus, boom: Boom) => unknown;
  /** Does something to session `s` that calls code that throws. */
  readonly act?: (bus: SessionEventBus, boom: Boom) => unknown;
}

const asyncly = (boom: Boom) => async (): Promise<never> => boom();
const readable = (name: string, boom: Boom) =>
  untyped(Object.defineProperty({}, name, { get: boom, enumerable: true }));
const ask = (): Request => new Request("http://localhost/?session_id=s");

const iterate = (bus: SessionEventBus, signal: AbortSignal): Promise<unknown> => {
  const iterable = bus.follow("s", { signal });
  return iterable[Symbol.asyncIterator]().next();
};

const HOOK_CAUSES: Record<string, (bus: SessionEventBus) => unknown> = {
  event: () => undefined,
  run: (bus) => bus.start(() => undefined, { sessionId: "s", keepOpen: true }).done,
  end: () => undefined,
  gap: (bus) => bus.subscribe("s", () => undefined, { after: "1-99" }),
  drop: (bus) => bus.reporter("s", { epoch: "1" }).report({}),
  error: (bus) => bus.publish("s", { progress: NaN }),
};

const hooks = Object.entries(HOOK_CAUSES).flatMap(([name, cause]): Place[] => [
  {
    where: `the hook ${name}`,
    told: name !== "error",
    arm: (bus, boom) => bus.on(untyped(name), untyped(boom)),
    act: cause,
  },
  {
    where: `the hook ${name}, as a rejection`,
    told: name !== "error",
    arm: (bus, boom) => bus.on(untyped(name), untyped(asyncly(boom))),
    act: cause,
  },
]);

const listeners: Place[] = [
  { where: "a listener", told: true, arm: (bus, boom) => bus.subscribe("s", boom) },
  { where: "a listener, as a rejection", told: true, arm: (bus, boom) => bus.subscribe("s", asyncly(boom)) },
  {
    where: "the then of what a listener returns",
    told: true,
    arm: (bus, boom) => bus.subscribe("s", () => ({ then: boom })),
  },
  {
    where: "every property of what a listener returns",
    told: true,
    arm: (bus, boom) =>
      bus.subscribe("s", () => new Proxy({}, { get: boom, has: boom, getPrototypeOf: boom })),
  },
  {
    where: "a listener's replay",
    told: true,
    act: (bus, boom) => bus.subscribe("s", boom, { after: "start" }),
  },
  {
    where: "a listener's reset",
    told: true,
    act: (bus, boom) => bus.subscribe("s", boom, { after: "1-99" }),
  },
  {
    where: "the signal of a listener",
    act: (bus, boom) => bus.subscribe("s", () => undefined, { signal: readable("aborted", boom) }),
  },
  {
    where: "addEventListener of the signal of a listener",
    act: (bus, boom) =>
      bus.subscribe("s", () => undefined, { signal: untyped({ aborted: false, addEventListener: boom }) }),
  },
  {
    where: "the signal of an iterator",
    act: (bus, boom) => iterate(bus, readable("aborted", boom)),
  },
  {
    where: "addEventListener of the signal of an iterator",
    act: (bus, boom) => iterate(bus, untyped({ aborted: false, addEventListener: boom })),
  },
];

const runs: Place[] = [true, false].flatMap((keepOpen): Place[] => [
  {
    where: `a run (keepOpen: ${keepOpen})`,
    act: (bus, boom) => bus.start(boom, { sessionId: "s", keepOpen }).done,
  },
  {
    where: `a run, as a rejection (keepOpen: ${keepOpen})`,
    act: (bus, boom) => bus.start(asyncly(boom), { sessionId: "s", keepOpen }).done,
  },
  {
    where: `the then of what a run returns (keepOpen: ${keepOpen})`,
    act: (bus, boom) => bus.start(() => untyped({ then: boom }), { sessionId: "s", keepOpen }).done,
  },
  {
    where: `result (keepOpen: ${keepOpen})`,
    told: true,
    act: (bus, boom) => bus.start(() => 1, { sessionId: "s", keepOpen, result: boom }).done,
  },
  {
    where: `result, as a rejection (keepOpen: ${keepOpen})`,
    told: true,
    act: (bus, boom) => bus.start(() => 1, { sessionId: "s", keepOpen, result: asyncly(boom) }).done,
  },
  {
    where: `the toJSON of a result (keepOpen: ${keepOpen})`,
    told: true,
    act: (bus, boom) =>
      bus.start(() => 1, { sessionId: "s", keepOpen, result: () => ({ toJSON: boom }) }).done,
  },
]);

const contexts: Place[] = [
  { where: "the function of reporter.run", act: (bus, boom) => bus.reporter("s").run(boom) },
  {
    where: "the function of withAgent",
    act: (bus, boom) => bus.reporter("s").run(() => withAgent("a", boom)),
  },
  { where: "where of disconnect", act: (bus, boom) => bus.disconnect("s", boom) },
];

const readings: Place[] = [
  ["publish", (bus: SessionEventBus, data: unknown) => bus.publish("s", { data })],
  ["reporter.report", (bus: SessionEventBus, data: unknown) => bus.reporter("s").report({ data })],
  ["bus.end", (bus: SessionEventBus, data: unknown) => bus.end("s", { data })],
  [
    "reporter.end",
    (bus: SessionEventBus, data: unknown) => bus.reporter("s").end({ status: "completed", data }),
  ],
  ["sink.end", (bus: SessionEventBus, data: unknown) => bus.sink("s").end?.({ status: "failed", data })],
].flatMap(([name, put]): Place[] => {
  const putting = put as (bus: SessionEventBus, data: unknown) => unknown;
  return [
    { where: `a toJSON in ${name}`, told: true, act: (bus, boom) => putting(bus, { toJSON: boom }) },
    {
      where: `a getter in the data of ${name}`,
      told: true,
      act: (bus, boom) => putting(bus, readable("x", boom)),
    },
  ];
});

const getters: Place[] = [
  {
    where: "a getter of a report",
    told: true,
    act: (bus, boom) => bus.publish("s", readable("message", boom)),
  },
  {
    where: "a getter of a reporter's report",
    told: true,
    act: (bus, boom) => bus.reporter("s").report(readable("agent", boom)),
  },
  { where: "a getter of an event", told: true, act: (bus, boom) => bus.sink("s").event(readable("t", boom)) },
  { where: "a getter of an end", act: (bus, boom) => bus.end("s", readable("data", boom)) },
  { where: "a getter of a sink's end", act: (bus, boom) => bus.sink("s").end?.(readable("status", boom)) },
  {
    where: "a getter of start's options",
    act: (bus, boom) => bus.start(() => 1, readable("sessionId", boom)),
  },
  {
    where: "the toJSON of an owner",
    act: (bus, boom) => bus.start(() => 1, { sessionId: "s", keepOpen: true, owner: { toJSON: boom } }),
  },
  { where: "a getter of reporter's options", act: (bus, boom) => bus.reporter("s", readable("agent", boom)) },
];

const sinks: Place[] = [
  { where: "a sink", act: (bus, boom) => createReporter(boom, bus.sink("s")).report({ message: "tee" }) },
  {
    where: "a sink, as a rejection",
    act: (bus, boom) => createReporter(asyncly(boom), bus.sink("s")).report({ message: "tee" }),
  },
  {
    where: "a sink and its error",
    act: (bus, boom) =>
      createReporter({ event: boom, error: boom }, bus.sink("s")).report({ message: "tee" }),
  },
  {
    where: "the error of a sink that rejects",
    act: (bus, boom) =>
      createReporter({ event: untyped(asyncly(boom)), error: boom }, bus.sink("s")).report({
        message: "tee",
      }),
  },
  {
    where: "the error of a sink beside the bus",
    act: (bus, boom) =>
      createReporter({ event: () => true, error: boom }, bus.sink("s")).report({ progress: NaN }),
  },
  {
    where: "the end of a sink beside the bus",
    act: (bus, boom) => createReporter({ event: () => true, end: boom }, bus.sink("s")).end(),
  },
  {
    where: "the end of a sink beside the bus, as a rejection",
    act: (bus, boom) => createReporter({ event: () => true, end: asyncly(boom) }, bus.sink("s")).end(),
  },
];

const requests: Place[] = [
  { where: "authorize", told: true, act: (bus, boom) => sseHandler(bus, { authorize: boom })(ask()) },
  {
    where: "authorize, as a rejection",
    told: true,
    act: (bus, boom) => sseHandler(bus, { authorize: asyncly(boom) })(ask()),
  },
  { where: "session", told: true, act: (bus, boom) => sseHandler(bus, { session: boom })(ask()) },
  {
    where: "session, as a rejection",
    told: true,
    act: (bus, boom) => sseHandler(bus, { session: asyncly(boom) })(ask()),
  },
  {
    where: "what authorize answers",
    told: true,
    act: (bus, boom) => sseHandler(bus, { authorize: () => readable("status", boom) })(ask()),
  },
];

const PLACES = [...listeners, ...hooks, ...runs, ...contexts, ...readings, ...getters, ...sinks, ...requests];

beforeEach(() => {
  // Faults that no hook hears of become process warnings.
  vi.spyOn(process, "emitWarning").mockReturnValue(undefined);
});

describe.each(PLACES)("when $where throws", ({ told = false, arm, act }) => {
  test.each(THROWERS)(
    "%s: its session and every other one deliver everything, and end",
    async (_what, throwIt) => {
      const bus = createEventBus();
      const faults: unknown[] = [];
      let thrown = 0;
      const boom: Boom = () => {
        thrown++;
        return throwIt();
      };
      arm?.(bus, boom);
      bus.on("error", (error) => void faults.push(error));
      const heard: string[] = [];
      bus.on("event", (id, entry) => void heard.push(`${id}: ${describeEvent(entry)}`));
      const [ours, others] = [await followInEveryWay(bus, "s"), await followInEveryWay(bus, "other")];

      for (const id of ["s", "other"]) bus.publish(id, { message: "1" });
      try {
        await act?.(bus, boom);
      } catch {
        // Some of it is the caller's own code, or told to nobody else.
      }
      await turn();
      for (const id of ["s", "other"]) bus.publish(id, { message: "2" });
      for (const id of ["s", "other"]) bus.end(id);

      await expectAllTold(others, ["1", "2", "end completed"]);
      const said = readEntries(bus, "s").map(describeEvent);
      expect([said[0], said.at(-1)]).toEqual(["1", expect.stringMatching(/^end/)]);
      await expectAllTold(ours, said);
      const whole = [...said.map((word) => `s: ${word}`), "other: 1", "other: 2", "other: end completed"];
      expect(heard.sort()).toEqual(whole.sort());

      expect(thrown).toBeGreaterThan(0);
      if (told) expect(faults).not.toEqual([]);
      for (const fault of faults) expect(fault).toBeInstanceOf(Error);
      await eventually("nobody follows", () => bus.stats().followers === 0);
      const { done } = bus.start(({ reporter }) => reporter.report({}), { sessionId: "next" });
      expect((await done).status).toBe("completed");
      await bus.close();
      expect(bus.stats()).toMatchObject({ sessions: 0, followers: 0, bytes: 0 });
    },
  );
});
