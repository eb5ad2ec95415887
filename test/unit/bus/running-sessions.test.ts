import { describe, expect, test } from "vitest";
import {
  createEventBus,
  type EventBusOptions,
  type Reporter,
  reportProgress,
  type SessionEventBus,
} from "session-progress";
import { sseHandler } from "session-progress/fetch";
import { type Deferred, deferred } from "../../support/deferred.ts";
import { nextTurn, settled } from "../../support/event-loop.ts";
import { describeEvent, epochOf, positionsOf } from "../../support/events.ts";
import { eventually } from "../../support/eventually.ts";
import { recordDrops } from "../../support/hooks.ts";
import { readEntries } from "../../support/session-entries.ts";

// A session in which code runs is never forgotten: its log may go, its epoch and head stay.

/** How code runs in session `s` until `held` is resolved, reporting as it likes in between. */
type Running = (bus: SessionEventBus, held: Promise<void>, during: () => void) => Promise<unknown>;

const RUNNING: Record<string, Running> = {
  "a run": (bus, held, during) => bus.start(body(held, during), { sessionId: "s" }).done,
  "a run that keeps its session open": (bus, held, during) =>
    bus.start(body(held, during), { sessionId: "s", keepOpen: true }).done,
  "the function of withSession": (bus, held, during) => bus.withSession("s", body(held, during)),
};

function body(held: Promise<void>, during: () => void): () => Promise<void> {
  return async () => {
    reportProgress({ message: "first" });
    await held;
    during();
    reportProgress({ message: "last" });
  };
}

/** What pushes other sessions out. */
const PRESSURES: Record<string, { options: EventBusOptions; press: (bus: SessionEventBus) => unknown }> = {
  "thirty others where ten may be": {
    options: { maxSessions: 10 },
    press: (bus) => {
      for (let n = 0; n < 30; n++) bus.publish(`other-${n}`, { message: "m" });
    },
  },
  "thirty others that end": {
    options: { maxSessions: 10 },
    press: (bus) => {
      for (let n = 0; n < 30; n++) {
        bus.publish(`other-${n}`, { message: "m" });
        bus.end(`other-${n}`);
      }
    },
  },
  "thirty runs that are over": {
    options: { maxSessions: 10 },
    press: async (bus) => {
      for (let n = 0; n < 30; n++) await bus.start(() => void reportProgress({ message: "m" })).done;
    },
  },
  "more bytes than there may be": {
    options: { history: { maxTotalBytes: 20_000 } },
    press: (bus) => {
      for (let n = 0; n < 300; n++) bus.publish(`other-${n % 30}`, { message: "x".repeat(1_000) });
    },
  },
  "a bus that is full of followed sessions": {
    options: { maxSessions: 10 },
    press: (bus) => {
      for (let n = 0; n < 30; n++) {
        bus.subscribe(`other-${n}`, () => undefined);
        bus.publish(`other-${n}`, { message: "m" });
      }
    },
  },
  "a long while without a report": {
    options: { idleMs: 10 },
    press: async (bus) => {
      bus.publish("witness", {});
      await eventually("the witness has shrunk", () => bus.stats().sessions === 0);
    },
  },
};

const CASES = Object.keys(RUNNING).flatMap((how) =>
  Object.keys(PRESSURES).map((pressure) => ({ how, pressure })),
);

describe("a session in which code runs", () => {
  test.each(CASES)("is not forgotten ($how, $pressure)", async ({ how, pressure }) => {
    const { options, press } = PRESSURES[pressure]!;
    const bus = createEventBus(options);
    const drops = recordDrops(bus);
    const held: Deferred<void> = deferred();
    let epochThen: bigint | undefined;
    const during = (): void => {
      epochThen = BigInt(bus.reporter("s").epoch!);
    };
    const running = RUNNING[how]!(bus, held.promise, during);
    const epoch = BigInt(bus.reporter("s").epoch!);
    await press(bus);
    const before = drops.length;
    // A word from elsewhere belongs to this incarnation, and begins none.
    const taken = bus.publish("s", { message: "from elsewhere" });
    expect(BigInt(bus.reporter("s").epoch!)).toBe(epoch);
    held.resolve();
    await running;
    await settled();
    expect(epochThen).toBe(epoch);
    const drop = drops.slice(before).filter(([id]) => id === "s");
    expect(drop.map(([, reason]) => reason)).not.toContain("ended");
    if (pressure.includes("full")) return;
    expect(drop).toEqual([]);
    expect(taken).toBe(true);
    bus.end("s");
    const entries = readEntries(bus, "s");
    expect(entries.map(describeEvent)).toContain("last");
    for (const entry of entries) expect(epochOf(entry)).toBe(epoch);
    // "first", "from elsewhere", "last", what a run says of its end, and the end: none got lost on the way.
    const ends = how === "a run that keeps its session open" ? 2 : 1;
    expect(positionsOf(entries).at(-1)).toBe(3 + ends);
  });

  test.each(Object.keys(RUNNING))("is found by its end, its owner and its followers (%s)", async (how) => {
    const bus = createEventBus({ maxSessions: 2 });
    await bus.open({ sessionId: "s", owner: { user: 1 } });
    const held: Deferred<void> = deferred();
    const running = RUNNING[how]!(bus, held.promise, () => undefined);
    for (let n = 0; n < 20; n++) bus.publish(`other-${n}`, {});
    const owners: unknown[] = [];
    const authorize = (_request: Request, _id: string, owner: unknown): boolean => owners.push(owner) > 0;
    const response = await sseHandler(bus, { authorize, mustExist: true })(
      new Request("http://localhost/?session_id=s"),
    );
    expect(response.status).toBe(200);
    expect(owners).toEqual([{ user: 1 }]);
    expect(bus.end("s", { status: "cancelled" })).toBe(true);
    expect(await response.text()).toContain('"status":"cancelled"');
    held.resolve();
    await running;
    await bus.close();
  });

  test("may be forgotten when nothing runs in it any more", async () => {
    const bus = createEventBus({ maxSessions: 2 });
    const held: Deferred<void> = deferred();
    const running = bus.withSession("s", () => held.promise);
    const first = bus.reporter("s").epoch;
    for (let n = 0; n < 20; n++) bus.publish(`other-${n}`, {});
    expect(bus.reporter("s").epoch).toBe(first);
    held.resolve();
    await running;
    await nextTurn();
    for (let n = 0; n < 20; n++) bus.publish(`more-${n}`, {});
    expect(bus.reporter("s").epoch).not.toBe(first);
  });

  test.each<[how: string, fn: () => unknown]>([
    ["returns", () => 1],
    [
      "throws",
      () => {
        throw new Error("sync");
      },
    ],
    ["rejects", () => Promise.reject(new Error("async"))],
  ])("by withSession is over when its function %s", async (_how, fn) => {
    const bus = createEventBus({ maxSessions: 2 });
    const first = bus.reporter("s").epoch;
    try {
      await Promise.resolve(bus.withSession("s", fn));
    } catch {
      // The caller's own.
    }
    await nextTurn();
    for (let n = 0; n < 20; n++) bus.publish(`other-${n}`, {});
    expect(bus.reporter("s").epoch).not.toBe(first);
  });

  test("keeps its reporters: those that were taken from it speak on", async () => {
    const bus = createEventBus({ maxSessions: 2 });
    let reporter!: Reporter;
    const held: Deferred<void> = deferred();
    const { done } = bus.start(
      (context) => {
        reporter = context.reporter;
        return held.promise;
      },
      { sessionId: "s", keepOpen: true },
    );
    const kept = [reporter, bus.reporter("s"), bus.reporter("s", { epoch: reporter.epoch })];
    for (let n = 0; n < 20; n++) bus.publish(`other-${n}`, {});
    expect(kept.map((each) => each.report({ message: "still" }))).toEqual([true, true, true]);
    held.resolve();
    await done;
    const entries = readEntries(bus, "s").map(describeEvent);
    expect(entries.slice(-4)).toEqual(["still", "still", "still", "run completed"]);
  });
});
