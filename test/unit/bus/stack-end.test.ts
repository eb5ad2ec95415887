import { setImmediate as turn } from "node:timers/promises";
import { beforeEach, describe, expect, test, vi } from "vitest";
import {
  createEventBus,
  createReporter,
  reportProgress,
  type SessionEventBus,
  type StartedRun,
  withAgent,
} from "session-progress";
import { sseHandler } from "session-progress/fetch";
import { followOverWebSocket } from "session-progress/websocket";
import { expectAllTold, followInEveryWay, toldToAll, type Witness } from "../../support/every-follower.ts";
import { describeEvent } from "../../support/events.ts";
import { recordErrors } from "../../support/hooks.ts";
import { recordEntries, readEntries } from "../../support/session-entries.ts";
import { nearStackEnd } from "../../support/stack-end.ts";
import { heldBytes } from "../../support/memory.ts";

// Code that overflows the stack does so anywhere: also inside a report, an end or a subscription.

/** How many calls away from the stack's end: near it each one, then further and further until everything has room. */
const DEPTHS = [
  ...Array.from({ length: 40 }, (_, i) => i + 1),
  ...Array.from({ length: 24 }, (_, i) => Math.round(48 * 1.2 ** i)),
];

const event = {
  t: "agent_event",
  agent: "a",
  phase: "think",
  msg: "foreign",
  ts: "2026-11-22T08:37:06.927Z",
} as const;
const requests = new Map<string, Request>();
const ignore = (): void => undefined;

/** What code does with a session, each at the stack's end. */
const ACTIONS: Record<string, (bus: SessionEventBus, id: string) => unknown> = {
  publish: (bus, id) => bus.publish(id, { message: "deep" }),
  "publish with data": (bus, id) => bus.publish(id, { message: "deep", data: { list: [1, { n: 2 }] } }),
  "a malformed report": (bus, id) => bus.publish(id, { message: "deep", progress: NaN }),
  "reporter.report": (bus, id) => bus.reporter(id).report({ message: "deep" }),
  reportProgress: (bus, id) => bus.reporter(id).run(() => reportProgress({ message: "deep" })),
  withAgent: (bus, id) =>
    bus.reporter(id).run(() => withAgent("a", () => reportProgress({ message: "deep" }))),
  "sink.event": (bus, id) => bus.sink(id).event(event),
  "a tee": (bus, id) => createReporter(() => undefined, bus.sink(id)).report({ message: "deep" }),
  "bus.end": (bus, id) => bus.end(id),
  "bus.end with data": (bus, id) => bus.end(id, { status: "failed", message: "why", data: { list: [1] } }),
  "reporter.end": (bus, id) => void bus.reporter(id).end({ status: "failed", data: [1] }),
  "a run": (bus, id) => bus.start(({ reporter }) => reporter.report({ message: "deep" }), { sessionId: id }),
  "a run that keeps open": (bus, id) =>
    bus.start(() => 1, { sessionId: id, keepOpen: true, result: (n) => n }),
  subscribe: (bus, id) => bus.subscribe(id, () => undefined, { after: "start" }),
  "subscribe with a foreign id": (bus, id) => bus.subscribe(id, () => undefined, { after: "1-99" }),
  unsubscribe: (bus, id) => bus.subscribe(id, () => undefined)(),
  "an iterator": (bus, id) => void bus.follow(id)[Symbol.asyncIterator]().next().catch(ignore),
  "an iterator that stops": (bus, id) => void bus.follow(id)[Symbol.asyncIterator]().return?.().catch(ignore),
  "an event stream": (bus, id) => void sseHandler(bus)(requests.get(id)!).catch(ignore),
  "a WebSocket": (bus, id) => followOverWebSocket(bus, id, { send: () => undefined, close: () => undefined }),
  flush: (bus) => void bus.flush(),
  disconnect: (bus, id) => bus.disconnect(id, () => false),
  hooks: (bus) => {
    const hook = (): void => undefined;
    bus.on("gap", hook);
    bus.off("gap", hook);
  },
};

interface Stage {
  readonly id: string;
  /** What was written at the stack's end. */
  deep: string[];
  readonly witnesses: readonly Witness[];
  readonly run: StartedRun;
}

/** A session with followers, and a run that waits for its end. */
async function stage(bus: SessionEventBus, id: string): Promise<Stage> {
  requests.set(id, new Request(`http://localhost/?session_id=${id}`));
  const witnesses = await followInEveryWay(bus, id);
  const run = bus.start(
    ({ signal }) => new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve())),
    { sessionId: id, keepOpen: true },
  );
  return { id, witnesses, run, deep: [] };
}

function without(said: readonly string[], passed: readonly string[]): string[] {
  return said.filter((word) => !passed.includes(word));
}

beforeEach(() => {
  vi.spyOn(process, "emitWarning").mockReturnValue(undefined);
});

describe.each(Object.entries(ACTIONS))("%s at the stack's end", (_name, act) => {
  test("leaves every session able to deliver everything, and to end", async () => {
    const bus = createEventBus();
    recordErrors(bus);
    const heard = new Map<string, string[]>();
    bus.on("event", (id, entry) => void heard.set(id, [...(heard.get(id) ?? []), describeEvent(entry)]));
    let id = "";
    let finished = 0;
    const action = (): void => {
      act(bus, id);
      finished++;
    };
    // What runs for the first times is compiled, and that takes more stack than there will be.
    for (let n = 0; n < 5; n++) {
      id = `warm-${n}`;
      await stage(bus, id);
      bus.publish(id, { message: "1" });
      action();
      bus.end(id);
    }
    heard.clear();
    finished = 0;
    const others = await followInEveryWay(bus, "other");
    const stages: Stage[] = [];
    let enough = 0;
    for (const depth of DEPTHS) {
      if (enough === 3) break;
      id = `s-${depth}`;
      const now = await stage(bus, id);
      stages.push(now);
      bus.publish(id, { message: "1" });
      const before = finished;
      nearStackEnd(depth, action);
      enough = finished > before ? enough + 1 : 0;
      now.deep = readEntries(bus, id).slice(1).map(describeEvent);
      bus.publish(id, { message: "2" });
    }
    // Some of the depths were too deep for it, and some were not.
    expect(finished).toBeGreaterThan(0);
    expect(finished).toBeLessThan(stages.length);
    bus.publish("other", { message: "unharmed" });
    await turn();
    for (const stage of stages) bus.end(stage.id, { status: "cancelled" });
    bus.end("other");

    await expectAllTold(others, ["unharmed", "end completed"]);
    for (const { id, deep, witnesses, run } of stages) {
      const said = readEntries(bus, id).map(describeEvent);
      expect([id, said[0], said.at(-1)]).toEqual([id, "1", expect.stringMatching(/^end/)]);
      expect(said.filter((word) => word.startsWith("end"))).toHaveLength(1);
      if (said.at(-1) === "end cancelled") expect(said).toContain("2");
      const [listener, ...rest] = witnesses;
      await expectAllTold(rest, said);
      // No call could be made any more: what was reported there may have passed by a listener or a hook, an end
      // may pass by no listener.
      const { "a listener": listened } = await toldToAll([listener!]);
      const passed = deep.filter((word) => !word.startsWith("end"));
      expect([said, without(said, passed)]).toContainEqual(listened);
      expect([said, without(said, deep)]).toContainEqual(heard.get(id));
      expect(["cancelled", "completed", "failed"]).toContain((await run.done).status);
    }
    await bus.close();
    expect(bus.stats()).toMatchObject({ sessions: 0, followers: 0, bytes: 0 });
  });
});

/** Ways to report until the stack is full. */
const OVERFLOWS: Record<string, (bus: SessionEventBus) => void> = {
  publish: (bus) => {
    const f = (): void => {
      bus.publish("s", {});
      f();
    };
    f();
  },
  "reporter.report": (bus) => {
    const { report } = bus.reporter("s");
    const f = (): void => {
      report({ data: [1] });
      f();
    };
    f();
  },
  reportProgress: (bus) => {
    const f = (): void => {
      reportProgress({ progress: NaN });
      withAgent("a", f);
    };
    bus.reporter("s").run(f);
  },
  "sink.event": (bus) => {
    const sink = bus.sink("s");
    const f = (): void => {
      sink.event(event);
      f();
    };
    f();
  },
  "a run in a run": (bus) => {
    const f = (): void => {
      bus.start(f, { sessionId: "s", keepOpen: true });
    };
    f();
  },
  subscribe: (bus) => {
    const f = (): void => {
      bus.subscribe("s", () => undefined, { after: "start" })();
      f();
    };
    f();
  },
};

describe.each(Object.entries(OVERFLOWS))("an agent that overflows the stack with %s", (_how, overflow) => {
  test.each([10, 100_000])(
    "is heard again afterwards, by all (history of %i)",
    { timeout: 60_000 },
    async (maxEvents) => {
      const bus = createEventBus({ history: { maxEvents } });
      recordErrors(bus);
      const heard: string[] = [];
      bus.on("event", (_id, entry) => void heard.push(describeEvent(entry)));
      const listened = recordEntries(bus, "s");
      const witnesses = await followInEveryWay(bus, "s");
      const others = await followInEveryWay(bus, "other");
      try {
        overflow(bus);
      } catch {
        // That is what it is about.
      }
      await turn();
      await turn();
      heard.length = 0;
      const before = listened.length;
      for (const id of ["s", "other"]) bus.publish(id, { message: "after" });
      expect(heard).toEqual(["after", "after"]);
      expect(listened.slice(before).map(describeEvent)).toEqual(["after"]);
      for (const id of ["s", "other"]) bus.end(id);
      await expectAllTold(others, ["after", "end completed"]);
      const told = await toldToAll(witnesses);
      for (const said of Object.values(told)) expect(said.slice(-2)).toEqual(["after", "end completed"]);
    },
  );

  test("holds no queue outside every bound", async () => {
    const bus = createEventBus({ history: { maxEvents: 10 } });
    recordErrors(bus);
    bus.on("event", () => undefined);
    bus.subscribe("s", () => undefined);
    try {
      overflow(bus);
    } catch {
      // That is what it is about.
    }
    const before = await heldBytes();
    for (let n = 0; n < 20; n++) {
      const { done } = bus.start(
        ({ reporter }) => {
          for (let i = 0; i < 1_000; i++) reporter.report({ message: `${i}`.padEnd(500) });
        },
        { sessionId: "s", keepOpen: true },
      );
      await done;
    }
    expect((await heldBytes()) - before).toBeLessThan(1_000_000);
    expect(bus.publish("s", {})).toBe(true);
  });
});

describe("an end that is asked for at the stack's end, and again where there is room", () => {
  const ENDS: Record<string, (bus: SessionEventBus, id: string) => () => unknown> = {
    "of a reporter": (bus, id) => {
      const reporter = bus.reporter(id);
      return () => void reporter.end({ status: "failed" });
    },
    "of a tee": (bus, id) => {
      const reporter = createReporter(() => undefined, bus.sink(id));
      return () => void reporter.end({ status: "failed" });
    },
    "of the bus": (bus, id) => () => bus.end(id, { status: "failed" }),
  };

  test.each(Object.entries(ENDS))("%s comes", async (_how, made) => {
    const bus = createEventBus();
    for (let n = 0; n < 5; n++) made(bus, "warm")();
    for (const depth of DEPTHS) {
      const id = `s-${depth}`;
      const end = made(bus, id);
      bus.publish(id, { message: "1" });
      nearStackEnd(depth, end);
      end();
      await turn();
      expect([id, readEntries(bus, id).map(describeEvent)]).toEqual([id, ["1", "end failed"]]);
    }
  });

  test("of a run comes with the run's own end", async () => {
    const bus = createEventBus();
    const how = new Set<string>();
    for (const depth of DEPTHS) {
      const id = `s-${depth}`;
      const { done } = bus.start(
        ({ reporter }) => nearStackEnd(depth, () => void reporter.end({ status: "failed" })),
        { sessionId: id },
      );
      const { status } = await done;
      how.add(status);
      expect([id, readEntries(bus, id).map(describeEvent)]).toEqual([id, [`end ${status}`]]);
    }
    expect(how).toEqual(new Set(["completed", "failed"]));
  });
});
