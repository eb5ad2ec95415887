import { describe, expect, test } from "vitest";
import { createEventBus, createReporter, type ProgressReport } from "session-progress";
import { createRecorder } from "session-progress/testing";
import { asAgentEvent } from "../../support/events.ts";
import { recordEntries } from "../../support/session-entries.ts";

describe("the event of a report", () => {
  function eventOf(report: ProgressReport) {
    const recorder = createRecorder();
    createReporter(recorder).report(report);
    return asAgentEvent(recorder.events[0]);
  }

  test("has the fields of the wire, in their order", () => {
    const event = eventOf({
      data: 1,
      total: 4,
      progress: 3,
      phase: "think",
      agent: "codesmith",
      message: "Reading",
    });
    expect(JSON.stringify({ ...event, ts: "T" })).toBe(
      '{"t":"agent_event","agent":"codesmith","phase":"think","msg":"Reading","pct":0.75,"ts":"T","progress":3,"total":4,"data":1}',
    );
  });

  test("says only what was said", () => {
    expect(eventOf({})).toEqual({
      t: "agent_event",
      agent: "agent",
      phase: "progress",
      msg: "",
      ts: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    });
    expect(Object.values(eventOf({ progress: 0.1 }))).not.toContain(undefined);
  });

  test("takes an explicit undefined for left out", () => {
    const event = eventOf({
      message: undefined,
      progress: undefined,
      total: undefined,
      agent: undefined,
      phase: undefined,
      data: undefined,
    });
    expect(Object.keys(event)).toEqual(["t", "agent", "phase", "msg", "ts"]);
  });

  test.each([
    [{ progress: 0.35 }, { pct: 0.35 }],
    [{ progress: 0 }, { pct: 0 }],
    [{ progress: 1 }, { pct: 1 }],
    [{ progress: 0.35, total: 1 }, { pct: 0.35 }],
    [
      { progress: 3, total: 12 },
      { pct: 0.25, progress: 3, total: 12 },
    ],
    [{ progress: 3, total: null }, { progress: 3 }],
    [{ total: 12 }, { total: 12 }],
    [{ total: null }, {}],
    [{ total: 1 }, {}],
    [
      { progress: 15, total: 12 },
      { pct: 1, progress: 15, total: 12 },
    ],
    [{ progress: 35 }, { pct: 1 }],
    [
      { progress: 1e308, total: 1e-308 },
      { pct: 1, progress: 1e308, total: 1e-308 },
    ],
  ] satisfies [ProgressReport, object][])("of %j is %j", (report, numbers) => {
    const { t: _t, agent: _agent, phase: _phase, msg: _msg, ts: _ts, ...rest } = eventOf(report);
    expect(rest).toEqual(numbers);
  });

  test("is frozen", () => {
    expect(Object.isFrozen(eventOf({ message: "m" }))).toBe(true);
    expect(Object.isFrozen(eventOf({ message: "m", progress: 1, total: 3, data: [1] }))).toBe(true);
  });

  test("holds a deeply frozen copy of data, and leaves the caller's object alone", () => {
    const data = { files: [{ name: "a.ts" }], at: new Date(0) };
    const event = eventOf({ data });
    const copy = event.data as { files: [{ name: string }]; at: string };

    expect(copy).toEqual({ files: [{ name: "a.ts" }], at: "1970-01-01T00:00:00.000Z" });
    expect(Object.isFrozen(copy) && Object.isFrozen(copy.files) && Object.isFrozen(copy.files[0])).toBe(true);
    expect(Object.isFrozen(data) || Object.isFrozen(data.files) || Object.isFrozen(data.files[0])).toBe(
      false,
    );

    data.files[0]!.name = "changed";
    expect(copy.files[0].name).toBe("a.ts");
  });

  test.each([null, 0, false, "", [], {}])("keeps data that is %j", (data) => {
    expect(eventOf({ data }).data).toEqual(data);
  });

  test("keeps a __proto__ key of data to itself", () => {
    const { data } = eventOf({ data: JSON.parse('{"__proto__":{"polluted":true}}') });
    expect(JSON.stringify(data)).toBe('{"__proto__":{"polluted":true}}');
    expect({}).not.toHaveProperty("polluted");
  });

  test("is one and the same object for every listener", () => {
    const bus = createEventBus();
    const [one, other] = [recordEntries(bus, "s"), recordEntries(bus, "s")];
    bus.publish("s", { message: "m" });
    expect(one[0]?.event).toBe(other[0]?.event);
  });

  test("carries the time of its report", () => {
    const before = Date.now();
    const { ts } = eventOf({});
    expect(Date.parse(ts)).toBeGreaterThanOrEqual(before);
    expect(Date.parse(ts)).toBeLessThanOrEqual(Date.now());
  });
});
