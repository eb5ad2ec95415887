import { afterEach, describe, expect, test, vi } from "vitest";
import {
  createEventBus,
  createReporter,
  currentReporter,
  type Reporter,
  reportProgress,
  type SessionEventBus,
  withAgent,
} from "session-progress";
import { sseHandler } from "session-progress/fetch";
import { createRecorder } from "session-progress/testing";
import { followOverWebSocket } from "session-progress/websocket";
import { describeEvent } from "../../support/events.ts";
import { readEntries } from "../../support/session-entries.ts";

// Tests of applications spy on what they are given, and put other functions in its place.

afterEach(() => {
  vi.restoreAllMocks();
});

function methodsOf(object: object): string[] {
  return Object.entries(object).flatMap(([name, value]) => (typeof value === "function" ? name : []));
}

const REPORTERS: [what: string, make: () => Reporter][] = [
  ["createReporter", () => createReporter(() => undefined)],
  ["bus.reporter", () => createEventBus().reporter("s")],
  [
    "currentReporter",
    () =>
      createEventBus()
        .reporter("s")
        .run(() => currentReporter()!),
  ],
  [
    "currentReporter under withAgent",
    () =>
      createEventBus()
        .reporter("s")
        .run(() => withAgent("a", () => currentReporter()!)),
  ],
  [
    "a run",
    () => {
      let given!: Reporter;
      createEventBus().start(({ reporter }) => (given = reporter));
      return given;
    },
  ],
];

describe("every method can be spied on", () => {
  test("of a bus", () => {
    const bus = createEventBus();
    const names = methodsOf(bus);
    expect(names).toEqual(
      expect.arrayContaining(["start", "publish", "subscribe", "follow", "end", "close", "on"]),
    );
    for (const name of names) {
      const spy = vi.spyOn(bus, name as keyof SessionEventBus);
      expect(vi.isMockFunction(bus[name as keyof SessionEventBus])).toBe(true);
      spy.mockRestore();
      expect(vi.isMockFunction(bus[name as keyof SessionEventBus])).toBe(false);
    }
    expect(bus.publish("s", { message: "still works" })).toBe(true);
  });

  test.each(REPORTERS)("of a reporter from %s", (_what, make) => {
    const reporter = make();
    for (const name of ["report", "run", "end"] as const) {
      const spy = vi.spyOn(reporter, name);
      expect(vi.isMockFunction(reporter[name])).toBe(true);
      spy.mockRestore();
    }
    expect(reporter.run(() => 7)).toBe(7);
  });

  test("of a sink, of a started run and of a recorder", () => {
    const bus = createEventBus();
    for (const object of [bus.sink("s"), bus.start(() => 1), createRecorder()]) {
      expect(Object.isFrozen(object)).toBe(false);
      for (const name of methodsOf(object)) expect(() => vi.spyOn(object, name as never)).not.toThrow();
    }
  });
});

describe("a spy", () => {
  test("on bus.start sees what the application starts", async () => {
    const bus = createEventBus();
    const start = vi.spyOn(bus, "start");
    const { done } = bus.start(() => void reportProgress({ message: "m" }), { sessionId: "s" });
    expect((await done).status).toBe("completed");
    expect(start).toHaveBeenCalledWith(expect.any(Function), { sessionId: "s" });
    expect(readEntries(bus, "s").map(describeEvent)).toEqual(["m", "end completed"]);
  });

  test("on the ambient reporter's report sees what deep code reports, and may answer for it", () => {
    const bus = createEventBus();
    const reporter = bus.reporter("s");
    const report = vi.spyOn(reporter, "report");
    expect(reporter.run(() => reportProgress({ message: "seen" }))).toBe(true);
    expect(report).toHaveBeenCalledExactlyOnceWith({ message: "seen" });
    report.mockReturnValue(false);
    expect(reporter.run(() => reportProgress({ message: "kept away" }))).toBe(false);
    expect(readEntries(bus, "s").map(describeEvent)).toEqual(["seen"]);
  });

  test("hinders no handler: a bus that is spied on is the same bus", async () => {
    const bus = createEventBus();
    for (const name of methodsOf(bus)) vi.spyOn(bus, name as keyof SessionEventBus);
    const text = (await sseHandler(bus)(new Request("http://localhost/?session_id=s"))).text();
    const sent: string[] = [];
    followOverWebSocket(bus, "s", { send: (message) => void sent.push(message), close: () => undefined });
    bus.publish("s", { message: "m" });
    bus.end("s");
    expect(await text).toContain('"msg":"m"');
    expect(sent).toHaveLength(3);
  });

  test("on a method does not reach methods that were taken before, which work detached", () => {
    const bus = createEventBus();
    const { publish } = bus;
    vi.spyOn(bus, "publish").mockReturnValue(false);
    expect(publish("s", { message: "detached" })).toBe(true);
    expect(bus.publish("s", { message: "mocked" })).toBe(false);
    expect(readEntries(bus, "s").map(describeEvent)).toEqual(["detached"]);
  });
});

describe("what a spy cannot do", () => {
  test("is to change events: those are frozen for everybody", () => {
    const bus = createEventBus();
    bus.publish("s", { data: { a: 1 } });
    const [entry] = readEntries(bus, "s");
    expect(Object.isFrozen(entry) && Object.isFrozen(entry!.event)).toBe(true);
  });

  test("is to make two buses mix", () => {
    const [one, other] = [createEventBus(), createEventBus()];
    vi.spyOn(one, "publish");
    one.publish("s", { message: "m" });
    expect(vi.isMockFunction(other.publish)).toBe(false);
    expect(readEntries(other, "s")).toEqual([]);
  });
});
