import { beforeEach, describe, expect, test, vi } from "vitest";
import {
  createEventBus,
  createReporter,
  reportProgress,
  type SessionEvent,
  type Sink,
  type SinkObject,
  withAgent,
} from "session-progress";
import { createRecorder } from "session-progress/testing";
import { describeEvent } from "../../support/events.ts";
import { readEntries } from "../../support/session-entries.ts";
import { untyped } from "../../support/untyped.ts";
import { nextTurn } from "../../support/event-loop.ts";

// `report` answers whether anybody took it. A function that receives events has taken each of them: what it
// returns is an accident of how it was written. An object with `event` may refuse.

beforeEach(() => {
  vi.spyOn(process, "emitWarning").mockReturnValue(undefined);
});

const ANSWERS: unknown[] = [false, true, undefined, null, 0, "", NaN, Promise.resolve(false), {}];

describe("a function as a sink", () => {
  test.each(ANSWERS)("that returns %o has taken the report", (answer) => {
    const sink: Sink = untyped(() => answer);
    expect(createReporter(sink).report({})).toBe(true);
    expect(createReporter(sink, sink).report({})).toBe(true);
    expect(createReporter(sink).run(() => reportProgress({}))).toBe(true);
    expect(createReporter(sink).run(() => withAgent("a", () => reportProgress({})))).toBe(true);
    expect(createReporter(sink, { event: () => false }).report({})).toBe(true);
  });

  test("that happens to return what an array or a stream answers has taken it", () => {
    const kept: unknown[] = [];
    const set = new Set<unknown>();
    expect(createReporter((event) => set.delete(event)).report({})).toBe(true);
    expect(createReporter((event) => kept.includes(event)).report({})).toBe(true);
    expect(createReporter((event) => kept.push(event) > 5).report({})).toBe(true);
    expect(kept).toHaveLength(1);
  });

  test("that throws has not", () => {
    const sink = (): never => {
      throw new Error("sink");
    };
    expect(createReporter(sink).report({})).toBe(false);
    expect(createReporter(sink, () => undefined).report({})).toBe(true);
  });
});

describe("an object as a sink", () => {
  test.each(ANSWERS)("that answers %o refuses only with false", async (answer) => {
    const reporter = createReporter({ event: () => untyped(answer) });
    expect(reporter.report({})).toBe(answer !== false);
    await nextTurn();
  });

  test("beside a bus says how it was taken there: refused by both is false", () => {
    const bus = createEventBus();
    const reporter = createReporter(bus.sink("s"), { event: () => false });
    expect(reporter.report({ message: "1" })).toBe(true);
    bus.end("s");
    expect(reporter.report({ message: "2" })).toBe(false);
    expect(readEntries(bus, "s").map(describeEvent)).toEqual(["1", "end completed"]);
  });

  test("made of a session's sink, with another `event`, is asked itself", () => {
    const bus = createEventBus();
    const seen: string[] = [];
    const sink = { ...bus.sink("s"), event: (event: SessionEvent) => void seen.push(describeEvent(event)) };
    createReporter(sink).report({ message: "m" });
    expect(seen).toEqual(["m"]);
    expect(readEntries(bus, "s")).toEqual([]);
  });

  test("that is a session's takes events detached", () => {
    const bus = createEventBus();
    const { event } = bus.sink("s");
    createReporter((given) => void event(given)).report({ message: "m", data: [1] });
    expect(readEntries(bus, "s").map(describeEvent)).toEqual(["m"]);
  });

  test("that is a recorder takes everything", () => {
    expect(createReporter(createRecorder()).report({})).toBe(true);
  });
});

describe("a session's sink", () => {
  const WAYS: Record<string, (sink: SinkObject) => SinkObject> = {
    "as it is": (sink) => sink,
    copied: (sink) => ({ ...sink }),
    "inherited from": (sink) => Object.create(sink) as SinkObject,
    "behind a proxy": (sink) => new Proxy(sink, {}),
    "with a wrapped event": (sink) => ({ ...sink, event: (event) => sink.event(event) }),
  };

  test.each(Object.entries(WAYS))("%s takes reports and ends the session", async (_way, made) => {
    const bus = createEventBus({ strict: true });
    const reporter = createReporter(made(bus.sink("s")));
    expect(reporter.sessionId).toBe("s");
    expect(reporter.epoch).toBe(bus.reporter("s").epoch);
    expect(reporter.report({ message: "m", data: { n: 1 } })).toBe(true);
    expect(() => reporter.report({ progress: NaN })).toThrow("progress");
    await reporter.end();
    const said = readEntries(bus, "s").map(describeEvent);
    expect([said[0], said.at(-1)]).toEqual(["m", "end completed"]);
  });

  test("ends the session detached", () => {
    const bus = createEventBus();
    const { end } = bus.sink("s");
    void end?.({ status: "failed" });
    expect(readEntries(bus, "s").map(describeEvent)).toEqual(["end failed"]);
  });
});
