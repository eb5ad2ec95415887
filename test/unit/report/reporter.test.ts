import { describe, expect, test, vi } from "vitest";
import {
  createEventBus,
  createReporter,
  type Outcome,
  reportProgress,
  type SessionEvent,
  withAgent,
} from "session-progress";
import { createRecorder } from "session-progress/testing";
import { deferred } from "../../support/deferred.ts";
import { settled } from "../../support/event-loop.ts";
import { asAgentEvent, describeEvent } from "../../support/events.ts";
import { readEntries, recordEntries } from "../../support/session-entries.ts";
import { untyped } from "../../support/untyped.ts";
import { warningsDuring } from "../../support/warnings.ts";

describe("createReporter", () => {
  test("hands events to a plain function", () => {
    const said: string[] = [];
    const reporter = createReporter((event) => void said.push(describeEvent(event)));
    expect(reporter.report({ message: "one" })).toBe(true);
    expect(reporter.report({ message: "two" })).toBe(true);
    expect(said).toEqual(["one", "two"]);
  });

  test.each([undefined, { list: [{ n: 1 }] }])(
    "hands one and the same event to every sink, in their order",
    (data) => {
      const seen: [number, SessionEvent][] = [];
      const bus = createEventBus();
      const reporter = createReporter(
        (event) => void seen.push([1, event]),
        bus.sink("s"),
        { event: (event) => void seen.push([2, event]) },
        (event) => void seen.push([3, event]),
      );
      reporter.report({ message: "m", data });
      expect(seen.map(([sink]) => sink)).toEqual([1, 2, 3]);
      const events = seen.map(([, event]) => event);
      expect(new Set(events).size).toBe(1);
      expect(events[0]).toEqual(readEntries(bus, "s")[0]?.event);
      expect(events[0]).toEqual(expect.objectContaining(data === undefined ? {} : { data }));
      expect(Object.isFrozen(events[0])).toBe(true);
    },
  );

  test("keeps `this` of a sink that is an object of a class", () => {
    class Counting {
      count = 0;
      event(): void {
        this.count++;
      }
    }
    const sink = new Counting();
    createReporter(sink).report({});
    expect(sink.count).toBe(1);
  });

  test("answers false only when every sink refuses", () => {
    const refuses = { event: () => false };
    expect(createReporter(refuses).report({})).toBe(false);
    expect(createReporter(refuses, refuses).report({})).toBe(false);
    expect(createReporter(refuses, () => undefined).report({})).toBe(true);
    expect(createReporter(() => undefined, refuses).report({})).toBe(true);
    expect(createReporter().report({})).toBe(false);
  });

  test("takes no word of a function for a refusal", () => {
    const seen: SessionEvent[] = [];
    expect(createReporter((event) => seen.includes(event)).report({})).toBe(true);
  });

  test.each([null, undefined, {}, "sink", 1])("refuses %j as a sink", (sink) => {
    expect(() => createReporter(untyped(sink))).toThrow(
      /^Expected `sink` to be a function or an object with `event`, got /,
    );
  });

  test("works detached", async () => {
    const recorder = createRecorder();
    const { report, run, end } = createReporter(recorder);
    report({ message: "one" });
    run(() => reportProgress({ message: "two" }));
    await end();
    expect(recorder.messages).toEqual(["one", "two"]);
    expect(recorder.outcome).toEqual({ status: "completed" });
  });

  test("may be spied on", () => {
    const reporter = createReporter();
    const spy = vi.spyOn(reporter, "report").mockReturnValue(true);
    expect(reporter.report({ message: "spied on" })).toBe(true);
    expect(spy).toHaveBeenCalledExactlyOnceWith({ message: "spied on" });
  });

  test("of a bus's sink says which session it reports to, beside others", () => {
    const bus = createEventBus();
    const reporter = createReporter(() => undefined, bus.sink("s-1"), bus.sink("s-2"));
    expect(reporter.sessionId).toBe("s-1");
    expect(reporter.epoch).toBe(bus.reporter("s-1").epoch);
    expect(createReporter(() => undefined)).toMatchObject({ sessionId: undefined, epoch: undefined });
  });

  test("tees a session and another sink", () => {
    const bus = createEventBus();
    const entries = recordEntries(bus, "s");
    const said: string[] = [];
    createReporter(bus.sink("s"), (event) => void said.push(describeEvent(event))).report({
      message: "both",
    });
    expect(entries.map(describeEvent)).toEqual(["both"]);
    expect(said).toEqual(["both"]);
  });
});

describe("a sink that fails", () => {
  const boom = new Error("boom");
  const throwing = () => {
    throw boom;
  };

  test("by throwing is told to its `error`, and the others get the event", () => {
    const error = vi.fn();
    const said: string[] = [];
    const reporter = createReporter(
      { event: throwing, error },
      (event) => void said.push(describeEvent(event)),
    );
    expect(reporter.report({ message: "m" })).toBe(true);
    expect(error).toHaveBeenCalledExactlyOnceWith(boom);
    expect(said).toEqual(["m"]);
  });

  test("by rejecting is told to its `error`", async () => {
    const error = vi.fn();
    const reporter = createReporter({ event: untyped(() => Promise.reject(boom)), error });
    expect(reporter.report({ message: "m" })).toBe(true);
    await settled();
    expect(error).toHaveBeenCalledExactlyOnceWith(boom);
  });

  test("by throwing no Error is told as one, with the cause", () => {
    const error = vi.fn<(error: Error) => void>();
    createReporter({
      event: () => {
        throw "a string";
      },
      error,
    }).report({});
    expect(error.mock.calls[0]?.[0]).toBeInstanceOf(Error);
    expect(error.mock.calls[0]?.[0]).toMatchObject({ cause: "a string" });
  });

  test("without `error` has not taken the event, and the process is warned once", async () => {
    const reporter = createReporter(throwing);
    const warnings = await warningsDuring(() => {
      expect(reporter.report({})).toBe(false);
      expect(reporter.report({})).toBe(false);
    });
    expect(warnings).toEqual(["A sink threw: boom"]);
  });

  test("and whose `error` throws reaches the code that reports", () => {
    const reporter = createReporter({ event: throwing, error: throwing });
    expect(() => reporter.report({})).toThrow(boom);
    expect(() => reporter.run(() => reportProgress({}))).toThrow(boom);
  });

  test("later, with an `error` that throws, ends no process", async () => {
    const reporter = createReporter({ event: untyped(() => Promise.reject(boom)), error: throwing });
    expect(reporter.report({})).toBe(true);
    await settled();
  });
});

describe("a malformed report", () => {
  test("is told to every sink that has an `error`, and the rest goes out", () => {
    const [one, other] = [vi.fn(), vi.fn()];
    const said: string[] = [];
    const reporter = createReporter(
      { event: () => undefined, error: one },
      (event) => void said.push(describeEvent(event)),
      { event: () => undefined, error: other },
    );
    expect(reporter.report({ message: "rest", progress: NaN })).toBe(true);
    expect(one).toHaveBeenCalledOnce();
    expect(other.mock.calls).toEqual(one.mock.calls);
    expect(said).toEqual(["rest"]);
  });

  test("becomes one process warning where no sink has an `error`", async () => {
    const reporter = createReporter(() => undefined);
    const warnings = await warningsDuring(() => {
      reporter.report({ progress: NaN });
      reporter.report({ progress: NaN });
    });
    expect(warnings).toEqual(["Expected `progress` to be a finite number, got NaN"]);
  });
});

describe("reporter.end", () => {
  test("ends every sink and awaits them", async () => {
    const outcomes: Outcome[] = [];
    const { promise: held, resolve: release } = deferred();
    const reporter = createReporter(
      { event: () => undefined, end: (outcome) => void outcomes.push(outcome) },
      { event: () => undefined, end: () => held },
      () => undefined,
    );
    let over = false;
    const ending = reporter.end({ status: "failed", message: "no" }).then(() => (over = true));
    await settled();
    expect(over).toBe(false);
    release();
    await ending;
    expect(outcomes).toEqual([{ status: "failed", message: "no" }]);
  });

  test("awaits them for every caller", async () => {
    const { promise: held, resolve: release } = deferred();
    const reporter = createReporter({ event: () => undefined, end: () => held });
    void reporter.end();
    let over = false;
    const ending = reporter.end().then(() => (over = true));
    await settled();
    expect(over).toBe(false);
    release();
    await ending;
  });

  test("ends once: the first end wins", async () => {
    const end = vi.fn();
    const reporter = createReporter({ event: () => undefined, end });
    await Promise.all([reporter.end({ status: "cancelled" }), reporter.end()]);
    await reporter.end();
    expect(end).toHaveBeenCalledExactlyOnceWith({ status: "cancelled" });
  });

  test("never rejects, whatever a sink's `end` does", async () => {
    const end = vi.fn();
    const reporter = createReporter(
      {
        event: () => undefined,
        end: () => {
          throw new Error("thrown");
        },
      },
      { event: () => undefined, end: () => Promise.reject(new Error("rejected")) },
      { event: () => undefined, end },
    );
    const warnings = await warningsDuring(() => expect(reporter.end()).resolves.toBeUndefined());
    expect(end).toHaveBeenCalledOnce();
    expect(warnings).toEqual(["A sink's `end` threw: thrown"]);
  });

  test("refuses every report that comes later", async () => {
    const event = vi.fn();
    const reporter = createReporter(event);
    await reporter.end();
    expect(reporter.report({})).toBe(false);
    expect(reporter.run(() => reportProgress({}))).toBe(false);
    expect(reporter.run(() => withAgent("a", () => reportProgress({})))).toBe(false);
    expect(event).not.toHaveBeenCalled();
  });

  test("refuses an unknown status", () => {
    expect(() => createReporter().end(untyped({ status: "done" }))).toThrow(
      new TypeError('Expected `status` to be "completed", "failed" or "cancelled", got "done" (string)'),
    );
  });

  test("holds for what was derived from it with withAgent, too", async () => {
    const recorder = createRecorder();
    const reporter = createReporter(recorder);
    await reporter.run(() => withAgent("a", async () => reporter.end()));
    reporter.run(() => withAgent("a", () => reportProgress({ message: "late" })));
    expect(recorder.outcome).toEqual({ status: "completed" });
    expect(recorder.messages).toEqual([]);
  });
});

describe("the agent of a report", () => {
  function agents(fn: (report: (agent?: string) => void) => unknown): string[] {
    const recorder = createRecorder();
    createReporter(recorder).run(() => fn((agent) => reportProgress({ agent })));
    return recorder.events.map((event) => asAgentEvent(event).agent);
  }

  test("is `agent` unless somebody says so", () => {
    expect(agents((report) => report())).toEqual(["agent"]);
  });

  test("is that of the innermost withAgent", () => {
    const nested = agents((report) =>
      withAgent("outer", () => {
        report();
        withAgent("inner", () => report());
        report();
      }),
    );
    expect(nested).toEqual(["outer", "inner", "outer"]);
  });

  test("is the report's own, if it names one", () => {
    expect(agents((report) => withAgent("outer", () => report("explicit")))).toEqual(["explicit"]);
  });

  test("is the scope's, if the report names a bad one", () => {
    const bus = createEventBus();
    bus.on("error", () => undefined);
    const entries = recordEntries(bus, "s");
    bus.withSession("s", () => withAgent("outer", () => reportProgress({ agent: "" })));
    expect(asAgentEvent(entries[0]).agent).toBe("outer");
  });

  test("is that of bus.reporter, until withAgent says otherwise", () => {
    const bus = createEventBus();
    const entries = recordEntries(bus, "s");
    const reporter = bus.reporter("s", { agent: "codesmith" });
    reporter.report({});
    reporter.run(() => reportProgress({}));
    reporter.run(() => withAgent("critic", () => reportProgress({})));
    expect(entries.map((entry) => asAgentEvent(entry).agent)).toEqual(["codesmith", "codesmith", "critic"]);
  });

  test("stays through awaits", async () => {
    const recorder = createRecorder();
    await createReporter(recorder).run(() =>
      Promise.all(
        ["a", "b", "c"].map((agent) =>
          withAgent(agent, async () => {
            await settled();
            reportProgress({ message: agent });
          }),
        ),
      ),
    );
    expect(recorder.events.map((event) => asAgentEvent(event).agent)).toEqual(recorder.messages);
  });

  test.each([
    ["empty", ""],
    ["longer than 256", "x".repeat(257)],
    ["a number", 7],
    ["null", null],
  ])("cannot be %s", (_what, agent) => {
    expect(() => withAgent(untyped(agent), () => 1)).toThrow(TypeError);
    const reporter = createReporter();
    expect(() => reporter.run(() => withAgent(untyped(agent), () => 1))).toThrow(TypeError);
  });
});

describe("withAgent", () => {
  test("returns what its function returns and throws what it throws", async () => {
    expect(withAgent("a", () => 1)).toBe(1);
    expect(createReporter().run(() => withAgent("a", () => 2))).toBe(2);
    await expect(withAgent("a", async () => 3)).resolves.toBe(3);
    const boom = new Error("boom");
    expect(() =>
      createReporter().run(() =>
        withAgent("a", () => {
          throw boom;
        }),
      ),
    ).toThrow(boom);
  });
});
