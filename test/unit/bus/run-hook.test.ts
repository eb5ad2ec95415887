import { describe, expect, test } from "vitest";
import { createEventBus, type Outcome, type RunContext, type SessionEventBus } from "session-progress";
import { sseHandler } from "session-progress/fetch";
import { followOverWebSocket } from "session-progress/websocket";
import { collect } from "session-progress/testing";
import { settled } from "../../support/event-loop.ts";
import { describeEvent } from "../../support/events.ts";
import { recordErrors } from "../../support/hooks.ts";
import { readEntries } from "../../support/session-entries.ts";
import { untyped } from "../../support/untyped.ts";

type Told = [sessionId: string, outcome: Outcome, owner: unknown, run: string | undefined];

function runsOf(bus: SessionEventBus): Told[] {
  const told: Told[] = [];
  bus.on(
    untyped("run"),
    untyped((...args: Told) => void told.push(args)),
  );
  return told;
}

function untilAborted({ signal }: RunContext): Promise<void> {
  return new Promise((resolve) => {
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

describe("the hook run", () => {
  test.each([true, false])("tells how each run went (keepOpen: %j)", async (keepOpen) => {
    const bus = createEventBus();
    bus.on("end", () => undefined);
    const told = runsOf(bus);
    const error = new Error("secret");
    const started = [
      bus.start(() => ({ n: 1 }), { sessionId: "a", keepOpen, result: (value) => value }),
      bus.start(() => Promise.reject(error), { sessionId: "b", keepOpen }),
      bus.start(({ reporter }) => reporter.end({ status: "cancelled", message: "enough" }), {
        sessionId: "c",
        keepOpen,
      }),
    ];
    await Promise.all(started.map(({ done }) => done));
    await settled();
    const [a, b, c] = started.map(({ run }) => run);
    expect(told.sort(([one], [other]) => one.localeCompare(other))).toEqual([
      ["a", { status: "completed", data: { n: 1 } }, null, a],
      ["b", { status: "failed", error }, null, b],
      ["c", { status: "cancelled", message: "enough" }, null, c],
    ]);
    expect(started.map(({ run }) => typeof run)).toEqual(Array(3).fill(keepOpen ? "string" : "undefined"));
  });

  test("hears the error of a run that keeps its session open, though a hook end listens", async () => {
    const bus = createEventBus();
    const ends: unknown[] = [];
    bus.on("end", (...args) => void ends.push(args));
    const told = runsOf(bus);
    const error = new Error("lost so far");
    await bus.start(() => Promise.reject(error), { sessionId: "s", keepOpen: true }).done;
    expect(told.map(([, outcome]) => outcome)).toEqual([{ status: "failed", error }]);
    expect(ends).toEqual([]);
  });

  test("is told once of each run that is cancelled, with its session or by closing the bus", async () => {
    const bus = createEventBus();
    const told = runsOf(bus);
    const started = ["a", "a", "b"].map((sessionId) =>
      bus.start(untilAborted, { sessionId, keepOpen: true, owner: { user: 1 } }),
    );
    const plain = bus.start(untilAborted, { sessionId: "c" });
    bus.end("a", { status: "failed" });
    await Promise.all(started.slice(0, 2).map(({ done }) => done));
    expect(told).toEqual(
      started.slice(0, 2).map(({ run }) => ["a", { status: "cancelled" }, { user: 1 }, run]),
    );
    await bus.close();
    await plain.done;
    await settled();
    expect(told.slice(2)).toEqual([
      ["b", { status: "cancelled" }, { user: 1 }, started[2]!.run],
      ["c", { status: "cancelled" }, null, undefined],
    ]);
  });

  test("is a hook like the others: on, once and off know it", async () => {
    const bus = createEventBus();
    const heard: string[] = [];
    const run = untyped("run");
    const hook = untyped(() => void heard.push("on"));
    bus.on(run, hook);
    bus.once(
      run,
      untyped(() => void heard.push("once")),
    );
    await bus.start(() => 1).done;
    await bus.start(() => 1).done;
    bus.off(run, hook);
    await bus.start(() => 1).done;
    expect(heard).toEqual(["on", "once", "on"]);
  });
});

const owner = { user: 42, roles: ["admin"] };

/** What the hooks of `bus` are told of owners. */
function ownersOf(bus: SessionEventBus): [hook: string, sessionId: string, owner: unknown][] {
  const told: [string, string, unknown][] = [];
  for (const name of ["event", "run", "end", "gap", "drop"]) {
    const hook = (sessionId: string, _what: unknown, given: unknown): void => {
      told.push([name, sessionId, given]);
    };
    bus.on(untyped(name), untyped(hook));
  }
  return told;
}

describe("hooks are told whose session it is:", () => {
  test("event, run, end, gap and drop", async () => {
    const bus = createEventBus();
    const told = ownersOf(bus);
    await bus.start(({ reporter }) => reporter.report({}), { sessionId: "s", owner, keepOpen: true }).done;
    bus.subscribe("s", () => undefined, { after: "1-99" });
    bus.end("s");
    bus.publish("s", {});
    expect(new Set(told.map(([name]) => name))).toEqual(new Set(["event", "run", "end", "gap", "drop"]));
    for (const [name, sessionId, given] of told) expect([name, sessionId, given]).toEqual([name, "s", owner]);
  });

  test("nobody's, as null", async () => {
    const bus = createEventBus();
    const told = ownersOf(bus);
    await bus.start(({ reporter }) => reporter.report({}), { sessionId: "s", keepOpen: true }).done;
    bus.subscribe("s", () => undefined, { after: "1-99" });
    bus.end("s");
    bus.publish("s", {});
    await bus.close();
    bus.publish("never-opened", {});
    expect(told.length).toBeGreaterThan(5);
    for (const [, , given] of told) expect(given).toBeNull();
  });

  test("in a gap of every sort of follower", async () => {
    const bus = createEventBus({ history: { maxEvents: 2 } });
    const told = ownersOf(bus);
    bus.start(untilAborted, { sessionId: "s", owner, keepOpen: true });
    for (let n = 0; n < 9; n++) bus.publish("s", {});
    told.length = 0;
    bus.subscribe("s", () => undefined, { after: "start" });
    await collect(bus.follow("s"), 1);
    await sseHandler(bus)(new Request("http://localhost/?session_id=s"));
    await sseHandler(bus, { filter: () => true })(new Request("http://localhost/?session_id=s"));
    followOverWebSocket(bus, "s", { send: () => undefined, close: () => undefined });
    expect(told).toEqual(Array(5).fill(["gap", "s", owner]));
    await bus.close();
  });

  test("also when it has changed hands, and when it was evicted", () => {
    const bus = createEventBus({ maxSessions: 1 });
    const told = ownersOf(bus);
    bus.start(untilAborted, { sessionId: "s", owner: "first", keepOpen: true });
    bus.start(untilAborted, { sessionId: "s", owner: "second", keepOpen: true });
    bus.publish("s", {});
    for (const id of ["x", "y"]) bus.publish(id, {});
    bus.publish("s", {});
    bus.end("s");
    bus.publish("s", {});
    const owners = told.filter(([, id]) => id === "s").map(([, , given]) => given);
    expect(owners.length).toBeGreaterThan(4);
    expect(new Set(owners)).toEqual(new Set(["second"]));
  });

  test("and cannot change that", async () => {
    const bus = createEventBus();
    recordErrors(bus);
    const change = (...args: unknown[]): void => {
      const given = args[2] as typeof owner;
      given.user = 1;
      given.roles.push("root");
    };
    for (const name of ["event", "end"]) bus.on(untyped(name), untyped(change));
    const told = ownersOf(bus);
    bus.start(untilAborted, { sessionId: "s", owner, keepOpen: true });
    bus.publish("s", {});
    const asked: unknown[] = [];
    const authorize = (_request: Request, _id: string, given: unknown): boolean => {
      asked.push(given);
      return false;
    };
    await sseHandler(bus, { authorize })(new Request("http://localhost/?session_id=s"));
    expect(asked).toEqual([{ user: 42, roles: ["admin"] }]);
    bus.end("s");
    expect(told.length).toBeGreaterThan(2);
    for (const [, , given] of told) expect(given).toEqual({ user: 42, roles: ["admin"] });
    expect(owner).toEqual({ user: 42, roles: ["admin"] });
    expect(readEntries(bus, "s").map(describeEvent).at(-1)).toBe("end completed");
  });
});
