import { describe, expect, test, vi } from "vitest";
import {
  createEventBus,
  createReporter,
  createSessionId,
  currentReporter,
  type EventBusOptions,
  isSessionProgressError,
  reportProgress,
  type SessionEntry,
  withAgent,
} from "session-progress";
import { collect } from "session-progress/testing";
import { recordDrops, recordErrors } from "../../support/hooks.ts";
import { settled } from "../../support/event-loop.ts";
import { asAgentEvent, describeEvent, epochOf, positionsOf } from "../../support/events.ts";
import { recordEntries } from "../../support/session-entries.ts";
import { untyped } from "../../support/untyped.ts";
import { warningsDuring } from "../../support/warnings.ts";
import { waysToFail } from "../../support/ways-to-fail.ts";

describe("reporting to a session", () => {
  test("is the same by publish, reporter, run and sink", () => {
    const bus = createEventBus();
    const entries = recordEntries(bus, "s");
    expect(bus.publish("s", { message: "publish" })).toBe(true);
    expect(bus.reporter("s").report({ message: "reporter" })).toBe(true);
    expect(bus.run("s", () => reportProgress({ message: "run" }))).toBe(true);
    expect(createReporter(bus.sink("s")).report({ message: "sink" })).toBe(true);
    expect(entries.map(describeEvent)).toEqual(["publish", "reporter", "run", "sink"]);
    expect(positionsOf(entries)).toEqual([1, 2, 3, 4]);
    expect(new Set(entries.map(epochOf)).size).toBe(1);
  });

  test("works with detached methods", async () => {
    const { publish, subscribe, follow, run, reporter, sink, start, end, stats, flush, close, on } =
      createEventBus();
    const heard: string[] = [];
    on("event", (_id, entry) => void heard.push(describeEvent(entry)));
    subscribe("s", (entry) => void heard.push(describeEvent(entry)));
    publish("s", { message: "1" });
    run("s", () => reportProgress({ message: "2" }));
    reporter("s").report({ message: "3" });
    createReporter(sink("s")).report({ message: "4" });
    await start(() => undefined, { sessionId: "other" }).done;
    end("s");
    await flush();
    expect(heard.filter((said) => said === "4")).toHaveLength(2);
    expect(await collect(follow("s"))).toHaveLength(5);
    expect(stats().events).toBe(6);
    await close();
  });

  test("is synchronous: a test asserts on the next line", () => {
    const bus = createEventBus();
    const entries = recordEntries(bus, "s");
    bus.publish("s", { message: "m" });
    expect(entries).toHaveLength(1);
  });

  test("makes epochs below 2^62 from the time, and entries with its id", () => {
    const bus = createEventBus();
    const before = BigInt(Date.now()) << 20n;
    const epoch = BigInt(bus.reporter("s").epoch!);
    expect(epoch >= before && epoch < 1n << 62n && epoch >> 20n <= BigInt(Date.now())).toBe(true);
    const entries = recordEntries(bus, "s");
    bus.publish("s", {});
    expect(entries[0]?.id).toBe(`${epoch}-1`);
    expect(entries[0]).toSatisfy(Object.isFrozen);
  });

  test("of one bus reaches nobody at another", () => {
    const [one, other] = [createEventBus(), createEventBus()];
    const entries = recordEntries(other, "s");
    one.publish("s", {});
    expect(entries).toEqual([]);
  });

  test("returns or throws from run what the function does, and ends nothing", async () => {
    const bus = createEventBus();
    const entries = recordEntries(bus, "s");
    expect(bus.run("s", () => 1)).toBe(1);
    await expect(bus.run("s", () => Promise.reject(new Error("async")))).rejects.toThrow("async");
    expect(() =>
      bus.run("s", () => {
        throw new Error("sync");
      }),
    ).toThrow("sync");
    expect(entries).toEqual([]);
    expect(bus.publish("s", {})).toBe(true);
  });

  test("takes events of another reporter into a sink, as they are", () => {
    const bus = createEventBus();
    const entries = recordEntries(bus, "s");
    const sink = bus.sink("s");
    const event = {
      t: "agent_event",
      agent: "a",
      phase: "think",
      msg: "m",
      ts: "2026-11-22T08:37:06.927Z",
    } as const;
    expect(sink.event(event)).toBe(true);
    expect(sink.event({ t: "gap", reason: "behind", missed: 3 })).toBe(true);
    expect(sink.event({ t: "run_end", run: "r", status: "completed", ts: event.ts })).toBe(true);
    expect(sink.event({ t: "session_end", status: "failed", ts: event.ts })).toBe(true);
    expect(sink.event(event)).toBe(false);
    expect(entries.map(({ event: { t } }) => t)).toEqual(["agent_event", "gap", "run_end", "session_end"]);
    expect(entries[0]?.event).toEqual(event);
    // What one log missed is lost to the other: a hole of its own would be a lie.
    expect(entries[1]?.event).toEqual({ t: "gap", reason: "dropped", lost: 3 });
  });
});

describe("a malformed session id", () => {
  const bad: unknown[] = ["", "a b", "a\nb", "ä", "a/b", "x".repeat(129), "../etc", 7, null, undefined];

  test.each(bad)("(%j) is a TypeError everywhere but in publish", (given) => {
    const bus = createEventBus();
    const id: string = untyped(given);
    const calls: (() => unknown)[] = [
      () => bus.run(id, () => undefined),
      () => bus.reporter(id),
      () => bus.sink(id),
      () => bus.subscribe(id, () => undefined),
      () => bus.follow(id),
      () => bus.end(id),
      () => bus.disconnect(id),
    ];
    // To `start`, undefined means: make one.
    if (given !== undefined) calls.push(() => bus.start(() => undefined, { sessionId: id }));
    for (const call of calls) {
      expect(call).toThrow(TypeError);
      expect(call).toThrow(/^Expected `sessionId` to be 1 to 128 of A-Z a-z 0-9 \. _ : ~ -, got /);
    }
  });

  test.each(bad)("(%j) counts as a bad report in publish", (given) => {
    const bus = createEventBus();
    const id: string = untyped(given);
    const faults = recordErrors(bus);
    expect(bus.publish(id, {})).toBe(false);
    expect(faults.map(String)).toEqual([
      expect.stringMatching(/^TypeError: Expected `sessionId` to be 1 to 128 of /),
    ]);
    expect(() => createEventBus({ strict: true }).publish(id, {})).toThrow(TypeError);
  });

  test("is not repeated in the error", () => {
    expect(() => createEventBus().reporter("secret token")).toThrow(/got a string of 12 characters$/);
  });

  test.each(["a", "A-Z.a_z:0~9", "x".repeat(128), createSessionId()])("is not %s", (id) => {
    expect(createEventBus().publish(id, {})).toBe(true);
  });
});

describe("createSessionId", () => {
  test("makes 128 random bits, base64url", () => {
    const ids = Array.from({ length: 1_000 }, createSessionId);
    expect(new Set(ids).size).toBe(1_000);
    for (const id of ids) expect(id).toMatch(/^[A-Za-z0-9_-]{22}$/);
  });
});

describe("subscribe", () => {
  test('starts with what comes next, or with what `after` says: "start", an id', () => {
    const bus = createEventBus();
    for (const message of ["1", "2", "3"]) bus.publish("s", { message });
    const all = recordEntries(bus, "s");
    const heard = (after?: string): string[] => {
      const said: string[] = [];
      bus.subscribe("s", (entry) => void said.push(describeEvent(entry)), { after });
      return said;
    };
    const [fresh, now, start, second] = [heard(), heard("now"), heard("start"), heard(all[1]?.id)];
    expect(start).toEqual(["1", "2", "3"]);
    bus.publish("s", { message: "4" });
    expect(fresh).toEqual(["4"]);
    expect(now).toEqual(["4"]);
    expect(start).toEqual(["1", "2", "3", "4"]);
    expect(second).toEqual(["3", "4"]);
  });

  test("tells a bad `after` as a reset gap, then reads from the start", () => {
    const bus = createEventBus();
    bus.publish("s", { message: "1" });
    const heard: SessionEntry[] = [];
    bus.subscribe("s", (entry) => void heard.push(entry), { after: "123-7" });
    expect(heard.map(describeEvent)).toEqual(["gap reset", "1"]);
    expect(positionsOf(heard)).toEqual([0, 1]);
    expect(heard[0]?.event).toEqual({ t: "gap", reason: "reset" });
  });

  test("sees every entry live, whatever the history keeps", () => {
    const bus = createEventBus({ history: { maxEvents: 1 } });
    const entries = recordEntries(bus, "s");
    for (let i = 0; i < 100; i++) bus.publish("s", { message: `${i}` });
    expect(positionsOf(entries)).toEqual(Array.from({ length: 100 }, (_, i) => i + 1));
  });

  test("delivers reports made by a listener after the current one, in the same order to all", () => {
    const bus = createEventBus();
    const order: string[] = [];
    bus.subscribe("s", (entry) => {
      order.push(`first ${describeEvent(entry)}`);
      if (describeEvent(entry) === "1") {
        expect(bus.publish("s", { message: "2" })).toBe(true);
        bus.publish("s", { message: "3" });
        order.push("first is done with 1");
      }
      if (describeEvent(entry) === "2") bus.publish("s", { message: "4" });
    });
    bus.subscribe("s", (entry) => void order.push(`second ${describeEvent(entry)}`));
    bus.publish("s", { message: "1" });
    expect(order).toEqual([
      "first 1",
      "first is done with 1",
      "second 1",
      "first 2",
      "second 2",
      "first 3",
      "second 3",
      "first 4",
      "second 4",
    ]);
  });

  test("delivers across sessions that report to each other", () => {
    const bus = createEventBus();
    const [a, b] = [recordEntries(bus, "a"), recordEntries(bus, "b")];
    bus.subscribe("a", (entry) => a.length < 5 && bus.publish("b", { message: describeEvent(entry) }));
    bus.subscribe("b", (entry) => void bus.publish("a", { message: `${describeEvent(entry)}'` }));
    bus.publish("a", { message: "x" });
    expect(a.map(describeEvent)).toEqual(["x", "x'", "x''", "x'''", "x''''"]);
    expect(b.map(describeEvent)).toEqual(["x", "x'", "x''", "x'''"]);
  });

  test("runs listeners under no ambient reporter", () => {
    const bus = createEventBus();
    const ambient: unknown[] = [];
    const note = (): void => void ambient.push(currentReporter());
    bus.publish("s", {});
    bus.run("other", () => {
      bus.subscribe("s", note, { after: "start" });
      bus.publish("s", {});
    });
    bus.run("s", () => reportProgress({}));
    expect(ambient).toEqual([undefined, undefined, undefined]);
  });

  test.each(waysToFail("boom"))(
    "hurts nobody when a listener %s: the error hook is told",
    async (_how, listener) => {
      const bus = createEventBus({ strict: true });
      const told: unknown[] = [];
      bus.on("error", (error, sessionId) => void told.push(error.message, sessionId));
      bus.publish("s", { message: "1" });
      bus.subscribe("s", listener, { after: "start" });
      const entries = recordEntries(bus, "s");
      expect(bus.publish("s", { message: "2" })).toBe(true);
      await settled();
      expect(entries.map(describeEvent)).toEqual(["1", "2"]);
      expect(told).toEqual(["boom", "s", "boom", "s"]);
    },
  );

  test("warns the process once when a listener throws and nobody listens to the hook", async () => {
    const bus = createEventBus();
    bus.subscribe("s", () => {
      throw new Error("boom");
    });
    const warnings = await warningsDuring(() => {
      bus.publish("s", {});
      bus.publish("s", {});
    });
    expect(warnings).toEqual(["boom (listen to the bus's `error` hook to see all of these)"]);
  });

  test("stops for a listener that is unsubscribed while an event is delivered", () => {
    const bus = createEventBus();
    const heard: string[] = [];
    bus.subscribe("s", (entry) => {
      heard.push(`a ${describeEvent(entry)}`);
      stopB();
      stopA();
    });
    const stopA = bus.subscribe("s", (entry) => void heard.push(`A ${describeEvent(entry)}`));
    const stopB = bus.subscribe("s", (entry) => void heard.push(`B ${describeEvent(entry)}`));
    bus.subscribe("s", (entry) => void heard.push(`z ${describeEvent(entry)}`));
    bus.publish("s", { message: "1" });
    expect(heard).toEqual(["a 1", "z 1"]);
  });

  test("tells one that joins while an event is delivered what comes after, or all", () => {
    const bus = createEventBus();
    const [now, start]: [string[], string[]] = [[], []];
    const stop = bus.subscribe("s", () => {
      stop();
      bus.publish("s", { message: "2" });
      bus.subscribe("s", (entry) => void now.push(describeEvent(entry)));
      bus.subscribe("s", (entry) => void start.push(describeEvent(entry)), { after: "start" });
      bus.publish("s", { message: "3" });
    });
    bus.publish("s", { message: "1" });
    expect(now).toEqual(["3"]);
    expect(start).toEqual(["1", "2", "3"]);
  });

  test("may be stopped twice", () => {
    const bus = createEventBus();
    const other = recordEntries(bus, "s");
    const stop = bus.subscribe("s", () => undefined);
    stop();
    stop();
    bus.publish("s", {});
    expect(other).toHaveLength(1);
    expect(bus.stats().followers).toBe(1);
  });

  test("stops when its signal aborts, also in the middle of a replay", () => {
    const bus = createEventBus();
    for (const message of ["1", "2", "3"]) bus.publish("s", { message });
    const heard: string[] = [];
    const controller = new AbortController();
    const options = { after: "start", signal: controller.signal };
    bus.subscribe("s", (entry) => heard.push(describeEvent(entry)) === 2 && controller.abort(), options);
    bus.publish("s", { message: "4" });
    bus.subscribe("s", (entry) => void heard.push(describeEvent(entry)), options);
    expect(heard).toEqual(["1", "2"]);
    expect(bus.stats().followers).toBe(0);
  });

  test("replays what the listener itself reports meanwhile, once", () => {
    const bus = createEventBus();
    bus.publish("s", { message: "1" });
    const heard: string[] = [];
    bus.subscribe(
      "s",
      (entry) => heard.push(describeEvent(entry)) === 1 && bus.publish("s", { message: "2" }),
      {
        after: "start",
      },
    );
    bus.publish("s", { message: "3" });
    expect(heard).toEqual(["1", "2", "3"]);
  });

  test.each([
    ["a listener", "s", untyped(undefined), {}],
    ["`after`", "s", () => undefined, { after: untyped(5) }],
  ])("refuses what is no %s", (_what, id, listener, options) => {
    expect(() => createEventBus().subscribe(id, listener, options)).toThrow(TypeError);
  });
});

describe("the end of a session", () => {
  test("is the last entry, and listeners are let go", () => {
    const bus = createEventBus();
    const entries = recordEntries(bus, "s");
    bus.publish("s", { message: "1" });
    bus.end("s", { status: "failed", message: "sorry", data: { code: 7 } });
    expect(entries.map(describeEvent)).toEqual(["1", "end failed"]);
    const end = entries[1]!.event;
    expect(Object.entries(end)).toEqual([
      ["t", "session_end"],
      ["status", "failed"],
      ["msg", "sorry"],
      ["data", { code: 7 }],
      ["ts", expect.any(String)],
    ]);
    expect(end).toSatisfy(Object.isFrozen);
    expect(bus.stats().followers).toBe(0);
  });

  test("is won by the first", () => {
    const bus = createEventBus();
    const entries = recordEntries(bus, "s");
    bus.end("s", { status: "cancelled" });
    bus.end("s", { status: "failed" });
    void bus.sink("other").end?.({ status: "failed" });
    expect(entries.map(describeEvent)).toEqual(["end cancelled"]);
  });

  test("of a session that nobody knows is its entry 1", async () => {
    const bus = createEventBus();
    bus.end("s");
    const entries = await collect(bus.follow("s"));
    expect(entries.map(describeEvent)).toEqual(["end completed"]);
    expect(positionsOf(entries)).toEqual([1]);
  });

  test("has publish refuse, without opening the session again", () => {
    const bus = createEventBus();
    const drops = recordDrops(bus);
    bus.end("s");
    expect(bus.publish("s", {})).toBe(false);
    expect(drops).toEqual([["s", "ended"]]);
    expect(recordEntries(bus, "s").map(describeEvent)).toEqual(["end completed"]);
  });

  test('is delivered to who subscribes with "now" afterwards', () => {
    const bus = createEventBus();
    bus.publish("s", {});
    bus.end("s");
    const heard: string[] = [];
    bus.subscribe("s", (entry) => void heard.push(describeEvent(entry)));
    expect(heard).toEqual(["end completed"]);
    expect(bus.stats().followers).toBe(0);
  });

  test("comes before what a listener reports when it sees the end: that is too late", () => {
    const bus = createEventBus();
    const entries = recordEntries(bus, "s");
    const answers: boolean[] = [];
    bus.subscribe("s", () => void answers.push(bus.publish("s", { message: "too late" })));
    bus.end("s");
    expect(answers).toEqual([false]);
    expect(entries.map(describeEvent)).toEqual(["end completed"]);
  });

  test.each([{ status: untyped("done") }, { status: untyped(null) }])("refuses %j", (options) => {
    const bus = createEventBus();
    expect(() => bus.end("s", options)).toThrow(
      /^Expected `status` to be "completed", "failed" or "cancelled"/,
    );
    expect(bus.stats().sessions).toBe(0);
  });

  test.each([false, true])("goes out without its bad parts (strict: %j)", (strict) => {
    const bus = createEventBus({ strict });
    const faults = recordErrors(bus);
    const entries = recordEntries(bus, "s");
    bus.end("s", { message: untyped(42), data: 1n });
    expect(entries.map(describeEvent)).toEqual(["end completed"]);
    expect(entries[0]?.event).not.toHaveProperty("data");
    expect(faults.map(String)).toEqual([
      "TypeError: Expected `message` to be a string, got 42",
      "TypeError: Expected `data` to be JSON: Do not know how to serialize a BigInt",
    ]);
  });

  test("goes out cut when its message is too long", () => {
    const bus = createEventBus({ maxEventBytes: 1_024, strict: true });
    recordErrors(bus);
    const entries = recordEntries(bus, "s");
    bus.end("s", { message: "x".repeat(5_000), data: "y".repeat(5_000) });
    const end = entries[0]!.event;
    expect(end).toMatchObject({ t: "session_end", msg: expect.stringMatching(/^x+…$/) });
    expect(JSON.stringify(end).length).toBeLessThanOrEqual(1_024);
  });
});

describe("a session id used again after its end", () => {
  test.each([
    ["reporter", (bus: ReturnType<typeof createEventBus>) => bus.reporter("s").report({ message: "new" })],
    [
      "run",
      (bus: ReturnType<typeof createEventBus>) => bus.run("s", () => reportProgress({ message: "new" })),
    ],
    [
      "sink",
      (bus: ReturnType<typeof createEventBus>) => createReporter(bus.sink("s")).report({ message: "new" }),
    ],
    [
      "start",
      (bus: ReturnType<typeof createEventBus>) =>
        bus.start(({ reporter }) => reporter.report({ message: "new" }), { sessionId: "s", keepOpen: true }),
    ],
  ])("begins anew by %s, with a larger epoch", (_how, again) => {
    const bus = createEventBus();
    bus.publish("s", { message: "old" });
    bus.end("s");
    const [old] = recordEntries(bus, "s");
    again(bus);
    const entries = recordEntries(bus, "s");
    expect(describeEvent(entries[0]!)).toBe("new");
    expect(positionsOf(entries)[0]).toBe(1);
    expect(epochOf(entries[0]) > epochOf(old)).toBe(true);
  });

  test("has a larger epoch even when the clock goes back", () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    try {
      const bus = createEventBus();
      const first = BigInt(bus.reporter("s").epoch!);
      bus.end("s");
      vi.setSystemTime(Date.now() - 60_000);
      expect(BigInt(bus.reporter("s").epoch!) > first).toBe(true);
    } finally {
      vi.useRealTimers();
    }
  });

  test("refuses a reporter of the ended incarnation for ever", async () => {
    const bus = createEventBus();
    const drops = recordDrops(bus);
    const kept = bus.reporter("s");
    const sink = createReporter(bus.sink("s"));
    bus.end("s");
    bus.publish("s", {});
    bus.reporter("s");
    const entries = recordEntries(bus, "s");
    expect(kept.report({})).toBe(false);
    expect(kept.run(() => withAgent("a", () => reportProgress({})))).toBe(false);
    expect(sink.report({})).toBe(false);
    await kept.end({ status: "failed" });
    expect(entries).toEqual([]);
    expect(bus.publish("s", {})).toBe(true);
    expect(drops).toEqual(Array(4).fill(["s", "ended"]));
  });

  test("leaves followers of the old incarnation at its end", async () => {
    const bus = createEventBus();
    const old: string[] = [];
    bus.subscribe("s", (entry) => void old.push(describeEvent(entry)));
    const following = collect(bus.follow("s"));
    bus.publish("s", { message: "1" });
    bus.end("s");
    bus.run("s", () => reportProgress({ message: "new" }));
    expect(old).toEqual(["1", "end completed"]);
    expect((await following).map(describeEvent)).toEqual(["1", "end completed"]);
  });

  test("resets who comes back with an id of the old incarnation", () => {
    const bus = createEventBus();
    bus.publish("s", {});
    bus.end("s");
    const after = recordEntries(bus, "s")[0]!.id;
    bus.run("s", () => reportProgress({ message: "new" }));
    const heard: string[] = [];
    bus.subscribe("s", (entry) => void heard.push(describeEvent(entry)), { after });
    expect(heard).toEqual(["gap reset", "new"]);
  });
});

describe("bus.reporter with an epoch", () => {
  test("reports to this incarnation only", () => {
    const bus = createEventBus();
    const { epoch } = bus.reporter("s");
    const entries = recordEntries(bus, "s");
    expect(bus.reporter("s", { epoch }).report({ message: "same" })).toBe(true);
    bus.end("s");
    bus.publish("s", {});
    bus.reporter("s").report({ message: "next" });
    expect(bus.reporter("s", { epoch }).report({ message: "late" })).toBe(false);
    expect(bus.reporter("s", { epoch }).epoch).toBe(epoch);
    expect(entries.map(describeEvent)).toEqual(["same", "end completed"]);
    expect(recordEntries(bus, "s").map(describeEvent)).toEqual(["next"]);
  });

  test.each(["1", "0", "no epoch"])("refuses for a session nobody has opened (%s)", (epoch) => {
    const bus = createEventBus();
    const entries = recordEntries(bus, "s");
    expect(bus.reporter("s", { epoch }).report({})).toBe(false);
    expect(entries).toEqual([]);
    expect(bus.stats().sessions).toBe(0);
  });
});

describe("close", () => {
  test("refuses everything afterwards, without throwing but in start", async () => {
    const bus = createEventBus();
    const drops = recordDrops(bus);
    const entries = recordEntries(bus, "s");
    const kept = bus.reporter("s");
    await bus.close();
    expect(kept.report({})).toBe(false);
    expect(bus.publish("s", {})).toBe(false);
    expect(bus.run("s", () => reportProgress({}))).toBe(false);
    expect(createReporter(bus.sink("s")).report({})).toBe(false);
    bus.end("s");
    expect(drops).toEqual(Array(5).fill(["s", "closed"]));
    expect(entries).toEqual([]);
    const start = () => bus.start(() => undefined);
    expect(start).toThrow("The event bus is closed; no run can start.");
    expect(start).toThrow(
      expect.toSatisfy((error) => isSessionProgressError(error) && error.code === "closed"),
    );
  });

  test("is idempotent, and leaves nothing", async () => {
    const bus = createEventBus();
    recordEntries(bus, "s");
    bus.publish("s", { message: "m" });
    bus.publish("ended", {});
    bus.end("ended");
    await Promise.all([bus.close(), bus.close()]);
    await bus.close();
    expect(bus.stats()).toMatchObject({ sessions: 0, followers: 0, bytes: 0 });
  });

  test("lets nobody follow afterwards", async () => {
    const bus = createEventBus();
    bus.publish("s", {});
    await bus.close();
    expect(recordEntries(bus, "s")).toEqual([]);
    expect(await collect(bus.follow("s"))).toEqual([]);
  });

  test.each([-1, 1.5, NaN, untyped("1")])("refuses graceMs %j", (graceMs) => {
    expect(() => createEventBus().close({ graceMs })).toThrow(
      /^Expected `graceMs` to be a whole number from 0 up/,
    );
  });
});

describe("stats", () => {
  test("counts sessions, followers, events, gaps, drops and bytes", async () => {
    const bus = createEventBus({ history: { maxEvents: 2 } });
    expect(bus.stats()).toEqual({ sessions: 0, followers: 0, events: 0, gaps: 0, drops: 0, bytes: 0 });
    const stop = bus.subscribe("s", () => undefined);
    const iterator = bus.follow("s")[Symbol.asyncIterator]();
    expect(bus.stats()).toMatchObject({ sessions: 0, followers: 2 });
    for (let i = 0; i < 10; i++) bus.publish("s", { message: "m" });
    await iterator.next();
    bus.end("t");
    bus.publish("t", {});
    expect(bus.stats()).toMatchObject({ sessions: 2, followers: 2, events: 11, gaps: 1, drops: 1 });
    expect(bus.stats().bytes).toBeGreaterThan(300);
    stop();
    await iterator.return?.();
    expect(bus.stats().followers).toBe(0);
  });
});

describe("the options of createEventBus", () => {
  test.each<[EventBusOptions, string]>([
    [{ history: { maxEvents: 0 } }, "Expected `history.maxEvents` to be a whole number from 1 up, got 0"],
    [{ history: { maxEvents: 1.5 } }, "Expected `history.maxEvents` to be a whole number from 1 up, got 1.5"],
    [{ history: { maxBytes: 10 } }, "Expected `history.maxBytes` to be a whole number from 1024 up, got 10"],
    [
      { history: { maxTotalBytes: -1 } },
      "Expected `history.maxTotalBytes` to be a whole number from 1024 up, got -1",
    ],
    [{ retentionMs: NaN }, "Expected `retentionMs` to be a whole number from 1 up, got NaN"],
    [{ idleMs: Infinity }, "Expected `idleMs` to be a whole number from 1 up, got Infinity"],
    [
      { maxSessions: untyped("9") },
      'Expected `maxSessions` to be a whole number from 1 up, got "9" (string)',
    ],
    [
      { maxFollowersPerSession: 0 },
      "Expected `maxFollowersPerSession` to be a whole number from 1 up, got 0",
    ],
    [{ maxFollowers: untyped(null) }, "Expected `maxFollowers` to be a whole number from 1 up, got null"],
    [{ maxEventBytes: 100 }, "Expected `maxEventBytes` to be a whole number from 1024 up, got 100"],
    [
      { maxEventBytes: 4_096, history: { maxBytes: 2_048 } },
      "Expected `maxEventBytes` to be at most `history.maxBytes` (2048), got 4096",
    ],
    [{ strict: untyped("yes") }, 'Expected `strict` to be a boolean, got "yes" (string)'],
  ])("%j are refused by name", (options, sentence) => {
    expect(() => createEventBus(options)).toThrow(new TypeError(sentence));
  });

  test("may all be undefined", () => {
    const bus = createEventBus({
      history: { maxEvents: undefined, maxBytes: undefined, maxTotalBytes: undefined },
      retentionMs: undefined,
      idleMs: undefined,
      maxSessions: undefined,
      maxFollowersPerSession: undefined,
      maxFollowers: undefined,
      maxEventBytes: undefined,
      strict: undefined,
    });
    expect(bus.publish("s", {})).toBe(true);
    expect(createEventBus({ history: undefined }).publish("s", {})).toBe(true);
  });
});

describe("the agent of bus.reporter", () => {
  test("is checked", () => {
    expect(() => createEventBus().reporter("s", { agent: "" })).toThrow(/^Expected `agent` to be a string/);
    const bus = createEventBus();
    const entries = recordEntries(bus, "s");
    bus.reporter("s", { agent: "codesmith" }).report({});
    expect(asAgentEvent(entries[0]).agent).toBe("codesmith");
  });
});
