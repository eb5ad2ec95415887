import { describe, expect, test, vi } from "vitest";
import {
  createEventBus,
  createReporter,
  currentReporter,
  isSessionProgressError,
  type Reporter,
  reportProgress,
  type SessionEventBus,
} from "session-progress";
import { sseHandler } from "session-progress/fetch";
import { collect } from "session-progress/testing";
import { settled } from "../../support/event-loop.ts";
import { describeEvent, epochOf, positionsOf } from "../../support/events.ts";
import { recordErrors } from "../../support/hooks.ts";
import { readEntries, recordEntries } from "../../support/session-entries.ts";
import { untyped } from "../../support/untyped.ts";

// A session id may be used again after its end: `start` and `open` begin it anew, nothing else does.

function dropsOf(bus: SessionEventBus): unknown[][] {
  const drops: unknown[][] = [];
  bus.on("drop", (sessionId, reason) => void drops.push([sessionId, reason]));
  return drops;
}

const ask = (lastEventId?: string): Request =>
  new Request("http://localhost/?session_id=s", {
    headers: lastEventId === undefined ? {} : { "Last-Event-ID": lastEventId },
  });

/** Late words for session `s`: what each answers. */
const LATE: [how: string, say: (bus: SessionEventBus) => unknown][] = [
  ["publish", (bus) => bus.publish("s", { message: "late" })],
  ["a new reporter", (bus) => bus.reporter("s").report({ message: "late" })],
  ["a new reporter with an agent", (bus) => bus.reporter("s", { agent: "a" }).report({ message: "late" })],
  ["a new sink", (bus) => createReporter(bus.sink("s")).report({ message: "late" })],
  [
    "an event from outside",
    (bus) =>
      bus
        .sink("s")
        .event({ t: "agent_event", agent: "a", phase: "think", msg: "late", ts: new Date().toISOString() }),
  ],
  ["withSession", (bus) => bus.withSession("s", () => reportProgress({ message: "late" }))],
  ["withSession and its reporter", (bus) => bus.withSession("s", () => currentReporter()?.report({}))],
];

/** Where an ended session may stand by now. */
const STANDS: [where: string, make: (bus: SessionEventBus) => unknown][] = [
  ["just ended", () => undefined],
  ["shrunk to its end", (bus) => ["x", "y", "z"].forEach((id) => bus.publish(id, {}))],
];

describe.each(STANDS)("a session that has %s", (_where, make) => {
  function ended(): { bus: SessionEventBus; drops: unknown[][]; end: ReturnType<typeof readEntries> } {
    const bus = createEventBus({ maxSessions: 2 });
    bus.publish("s", { message: "old" });
    bus.end("s", { status: "failed" });
    make(bus);
    return { bus, drops: dropsOf(bus), end: readEntries(bus, "s") };
  }

  test.each(LATE)("refuses %s, and no ghost of it begins", async (_how, late) => {
    const { bus, drops, end } = ended();
    const { sessions, bytes } = bus.stats();
    for (let n = 0; n < 3; n++) expect(late(bus)).toBe(false);
    expect(drops).toEqual(Array(3).fill(["s", "ended"]));
    expect(readEntries(bus, "s")).toEqual(end);
    expect(bus.stats()).toMatchObject({ sessions, bytes });
    expect((await sseHandler(bus)(ask(end.at(-1)!.id))).status).toBe(204);
  });

  test("calls the function of withSession all the same, and returns or throws what that does", async () => {
    const { bus } = ended();
    expect(bus.withSession("s", () => 7)).toBe(7);
    expect(await bus.withSession("s", async () => "later")).toBe("later");
    expect(() =>
      bus.withSession("s", () => {
        throw new Error("sync");
      }),
    ).toThrow("sync");
  });

  test("is begun anew by start, with a larger epoch: now all of them are heard", async () => {
    const { bus, end } = ended();
    const old = bus.reporter("s");
    const started = bus.start(({ reporter }) => reporter.report({ message: "new" }), {
      sessionId: "s",
      keepOpen: true,
    });
    await started.done;
    const entries = readEntries(bus, "s");
    expect(entries.map(describeEvent)).toEqual(["new", "run completed"]);
    expect(positionsOf(entries)).toEqual([1, 2]);
    expect(epochOf(entries[0]) > epochOf(end[0])).toBe(true);
    for (const [, late] of LATE) expect(late(bus)).toBe(true);
    expect(old.report({ message: "of the old one" })).toBe(false);
  });

  test("is begun anew by open, too", async () => {
    const { bus, end } = ended();
    const old = bus.reporter("s");
    expect(await bus.open({ sessionId: "s", owner: 1 })).toBe("s");
    expect(bus.publish("s", { message: "new" })).toBe(true);
    const entries = readEntries(bus, "s");
    expect(entries.map(describeEvent)).toEqual(["new"]);
    expect(epochOf(entries[0]) > epochOf(end[0])).toBe(true);
    expect(old.report({})).toBe(false);
  });

  test("refuses a reporter that asks for its epoch, by any means", () => {
    const { bus, end } = ended();
    const epoch = String(epochOf(end[0]));
    expect(bus.reporter("s", { epoch }).report({})).toBe(false);
    void bus.open({ sessionId: "s" });
    expect(bus.reporter("s", { epoch }).report({})).toBe(false);
  });
});

describe("bus.open", () => {
  test("opens a session without a run, so that its owner is known before the first follower", async () => {
    const bus = createEventBus();
    const owners: unknown[] = [];
    const authorize = (_request: Request, _sessionId: string, owner: unknown): boolean => {
      owners.push(owner);
      return true;
    };
    expect((await sseHandler(bus, { mustExist: true })(ask())).status).toBe(404);
    await bus.open({ sessionId: "s", owner: { user: 7 } });
    const response = await sseHandler(bus, { mustExist: true, authorize })(ask());
    expect(response.status).toBe(200);
    expect(owners).toEqual([{ user: 7 }]);
    expect(bus.stats().sessions).toBe(1);
    await bus.close();
  });

  test("makes a session id, or takes one; needs no options", async () => {
    const bus = createEventBus();
    const ids = await Promise.all([bus.open(), bus.open({}), bus.open({ sessionId: "mine" })]);
    expect(ids).toEqual([expect.stringMatching(/^[\w-]{22}$/), expect.stringMatching(/^[\w-]{22}$/), "mine"]);
    expect(new Set(ids).size).toBe(3);
  });

  test("joins an open session: its epoch, log and followers stay, its owner is set", async () => {
    const bus = createEventBus();
    const { epoch } = bus.reporter("s");
    bus.publish("s", { message: "1" });
    const entries = recordEntries(bus, "s");
    await bus.open({ sessionId: "s" });
    expect(bus.reporter("s").epoch).toBe(epoch);
    bus.publish("s", { message: "2" });
    expect(entries.map(describeEvent)).toEqual(["1", "2"]);
  });

  test("keeps the owner when none is named, and disconnects others' followers when another is", async () => {
    const bus = createEventBus();
    await bus.open({ sessionId: "s", owner: 1 });
    const owners: unknown[] = [];
    const authorize = (_request: Request, _id: string, owner: unknown): boolean => {
      owners.push(owner);
      return true;
    };
    const handle = sseHandler(bus, { authorize });
    const text = (await handle(ask())).text();
    await bus.open({ sessionId: "s" });
    expect(bus.stats().followers).toBe(1);
    await bus.open({ sessionId: "s", owner: 2 });
    expect(await text).not.toContain("event: end");
    await handle(ask());
    expect(owners).toEqual([1, 2]);
    await bus.close();
  });

  test("is joined by who waits", async () => {
    const bus = createEventBus();
    const entries = recordEntries(bus, "s");
    const following = collect(bus.follow("s"));
    await bus.open({ sessionId: "s" });
    bus.publish("s", { message: "1" });
    bus.end("s");
    expect(entries.map(describeEvent)).toEqual(["1", "end completed"]);
    expect((await following).map(describeEvent)).toEqual(["1", "end completed"]);
  });

  test.each([
    [{ sessionId: "a b" }, /^Expected `sessionId`/],
    [{ sessionId: untyped(7) }, /^Expected `sessionId`/],
    [{ owner: 1n }, /^Expected `owner`/],
    [{ owner: () => 1 }, /^Expected `owner`/],
  ])("refuses %o and opens nothing", async (options, message) => {
    const bus = createEventBus();
    const opening = async (): Promise<string> => bus.open(options);
    await expect(opening()).rejects.toThrow(message);
    await expect(opening()).rejects.toThrow(TypeError);
    expect(bus.stats().sessions).toBe(0);
  });

  test("refuses when the bus is closed", async () => {
    const bus = createEventBus();
    await bus.close();
    const opening = async (): Promise<string> => bus.open();
    await expect(opening()).rejects.toSatisfy(
      (error) => isSessionProgressError(error) && error.code === "closed",
    );
  });
});

describe("start's opened", () => {
  test.each([true, false])(
    "resolves with nothing, also when its run fails at once (keepOpen: %j)",
    async (keepOpen) => {
      const bus = createEventBus();
      recordErrors(bus);
      bus.on("end", () => undefined);
      for (const fn of [
        () => 1,
        () => Promise.reject(new Error("fails")),
        () => new Promise(() => undefined),
      ]) {
        const { opened } = bus.start(fn, { keepOpen });
        expect(opened).toBeInstanceOf(Promise);
        expect(await opened).toBeUndefined();
      }
      await bus.close();
    },
  );
});

describe("bus.withSession", () => {
  test("calls its function with the session as context; it takes the place of bus.run", async () => {
    const bus = createEventBus();
    expect(bus).not.toHaveProperty("run");
    expect(bus.withSession("s", () => reportProgress({ message: "1" }))).toBe(true);
    await bus.withSession("s", async () => {
      await settled();
      reportProgress({ message: "2" });
    });
    expect(readEntries(bus, "s").map(describeEvent)).toEqual(["1", "2"]);
    expect(bus.publish("s", { message: "3" })).toBe(true);
  });

  test.each(["a b", "", 7, null])("refuses %j as a session id without calling it", (id) => {
    const fn = vi.fn();
    expect(() => createEventBus().withSession(untyped(id), fn)).toThrow(/^Expected `sessionId`/);
    expect(fn).not.toHaveBeenCalled();
  });

  test.each(["fn", null, undefined, {}])("refuses %j as a function", (fn) => {
    expect(() => createEventBus().withSession("s", untyped(fn))).toThrow(TypeError);
  });

  test("calls its function on a closed bus, too: its reports answer false", async () => {
    const bus = createEventBus();
    await bus.close();
    expect(bus.withSession("s", () => [reportProgress({}), 7])).toEqual([false, 7]);
  });
});

describe("a reporter outlives", () => {
  test("its session's end only as one that is refused, whatever begins under the id", async () => {
    const bus = createEventBus();
    const kept: Reporter[] = [bus.reporter("s"), createReporter(bus.sink("s"))];
    bus.withSession("s", () => void kept.push(currentReporter()!));
    bus.end("s");
    await bus.open({ sessionId: "s" });
    const drops = dropsOf(bus);
    for (const reporter of kept) {
      expect(reporter.report({ message: "late" })).toBe(false);
      expect(reporter.run(() => reportProgress({ message: "late" }))).toBe(false);
      await reporter.end({ status: "failed" });
    }
    expect(readEntries(bus, "s")).toEqual([]);
    expect(bus.publish("s", {})).toBe(true);
    expect(drops.every(([id, reason]) => id === "s" && reason === "ended")).toBe(true);
  });
});

describe("a session begun anew by what its end calls", () => {
  test.each([
    [
      "a listener of its run's end",
      (bus: SessionEventBus, begin: () => void) =>
        void bus.subscribe("s", ({ event }) => {
          if (event.t === "run_end") begin();
        }),
    ],
    ["the `run` hook", (bus: SessionEventBus, begin: () => void) => bus.once("run", begin)],
    ["the `end` hook", (bus: SessionEventBus, begin: () => void) => bus.once("end", begin)],
  ])("by %s, goes on, and the one before is over for its followers", async (_what, listen) => {
    const bus = createEventBus();
    const old = collect(bus.follow("s"));
    listen(bus, () => void bus.open({ sessionId: "s" }));
    void bus.start(() => new Promise(() => undefined), { sessionId: "s", keepOpen: true });
    await settled();
    expect(bus.end("s")).toBe(true);
    expect((await old).map(({ event }) => event.t)).toContain("session_end");
    expect(bus.publish("s", { message: "new" })).toBe(true);
    expect(readEntries(bus, "s").map(describeEvent)).toEqual(["new"]);
    expect(bus.end("s")).toBe(true);
    expect(bus.stats().sessions).toBe(1);
  });
});
