import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { createEventBus, type EventBusOptions, type SessionEventBus } from "session-progress";
import { followOverWebSocket } from "session-progress/websocket";
import { OperationCounter } from "../../support/operations.ts";

// What one report, one subscription or one end takes does not depend on how many others there are: it is the same
// among 1,000 and among 16,000, also where every limit is reached. Operations are counted, not time.

const FEW = 1_000;
const MANY = 16_000;
/** Many times over, so that what is rare and large, like moving a list, is shared by those that made it necessary. */
const REPEATS = 500;
const FLAT = 1.5;

const noop = (): void => undefined;
const message = "x".repeat(100);
const socket = { send: noop, close: noop };

/** How a bus comes to hold `n` of something. */
interface World {
  readonly options?: (n: number) => EventBusOptions;
  readonly fill: (bus: SessionEventBus, n: number) => void;
}

function report(bus: SessionEventBus, id: string): void {
  bus.publish(id, { message });
}

function follow(bus: SessionEventBus, id: string): void {
  bus.subscribe(id, noop);
  report(bus, id);
}

function run(bus: SessionEventBus, id: string): void {
  bus.start(() => new Promise(noop), { sessionId: id, keepOpen: true });
  report(bus, id);
}

function end(bus: SessionEventBus, id: string): void {
  report(bus, id);
  bus.end(id);
}

/** Does `each` in sessions of their own. */
function everywhere(each: (bus: SessionEventBus, id: string) => void, times = 1): World["fill"] {
  return (bus, n) => {
    for (let index = 0; index < times * n; index++) each(bus, `s-${index}`);
  };
}

/** Does `each` in one session. */
function inOne(each: (bus: SessionEventBus, id: string, index: number) => void): World["fill"] {
  return (bus, n) => {
    report(bus, "s-0");
    for (let index = 0; index < n; index++) each(bus, "s-0", index);
  };
}

const asMany = (n: number): EventBusOptions => ({ maxSessions: n });
/** As many bytes as `n` sessions of one report count. */
const asLarge = (n: number): EventBusOptions => {
  const bus = createEventBus();
  report(bus, "s");
  return { history: { maxTotalBytes: n * bus.stats().bytes } };
};

const WORLDS: Record<string, World> = {
  "sessions, below every limit": { fill: everywhere(report) },
  "idle sessions, as many as there may be": { options: asMany, fill: everywhere(report) },
  "followed sessions, as many as there may be": { options: asMany, fill: everywhere(follow) },
  "running sessions, as many as there may be": { options: asMany, fill: everywhere(run) },
  "ended sessions, as many as there may be": { options: asMany, fill: everywhere(end) },
  "idle sessions, and no byte more": { options: asLarge, fill: everywhere(report) },
  "followed sessions, and no byte more": { options: asLarge, fill: everywhere(follow) },
  "running sessions, and no byte more": { options: asLarge, fill: everywhere(run) },
  "ended sessions, and no byte more": { options: asLarge, fill: everywhere(end) },
  "sessions that left stubs": { options: asMany, fill: everywhere(report, 3) },
  "sessions that left tombstones": { options: asMany, fill: everywhere(end, 3) },
  "sessions that nobody has opened": { fill: everywhere((bus, id) => void bus.subscribe(id, noop)) },
  "WebSockets that follow one session": {
    options: () => ({ maxFollowers: 100_000, maxFollowersPerSession: 100_000 }),
    fill: inOne((bus, id) => void followOverWebSocket(bus, id, socket)),
  },
  "runs in one session": {
    fill: inOne((bus, id) => void bus.start(() => new Promise(noop), { sessionId: id, keepOpen: true })),
  },
  "entries in one log": { options: () => ({ history: { maxEvents: 100_000 } }), fill: inOne(report) },
  "entries in one full log": { options: (n) => ({ history: { maxEvents: n } }), fill: inOne(report) },
  "entries of agents of their own, in one full log": {
    options: (n) => ({ history: { maxEvents: n } }),
    fill: inOne((bus, id, index) => void bus.publish(id, { agent: `agent ${index}` })),
  },
  "bytes in one full log": {
    options: (n) => ({ history: { maxBytes: n * 150 }, maxEventBytes: 1_024 }),
    fill: inOne((bus, id, index) => void bus.publish(id, { agent: `agent ${index % 300}`, message })),
  },
};

/** What is done there, the `i`th time; all of it without waiting. */
const OPERATIONS: Record<string, (bus: SessionEventBus, i: number) => unknown> = {
  // First, because what follows may push those sessions out.
  "an end": (bus, i) => bus.end(`s-${i + 1}`),
  "a report to another session": (bus, i) => bus.publish(`other-${i % 7}`, { message }),
  "a report to a new session": (bus, i) => bus.publish(`new-${i}`, { message }),
  "a malformed report": (bus, i) => bus.publish(`other-${i % 7}`, { progress: NaN }),
  "a long report": (bus, i) => bus.publish(`other-${i % 7}`, { data: message.repeat(20) }),
  "a reporter": (bus, i) => bus.reporter(`reporter-${i}`),
  "an opened session": (bus, i) => void bus.open({ sessionId: `opened-${i}`, owner: i }),
  withSession: (bus, i) => bus.withSession(`with-${i}`, noop),
  "a run": (bus, i) => bus.start(noop, { sessionId: `run-${i}`, keepOpen: true }),
  "an end of a new session": (bus, i) => (
    bus.publish(`ending-${i}`, {}),
    bus.end(`ending-${i}`, { data: i })
  ),
  "a late report": (bus, i) => bus.publish(`ending-${i}`, { message }),
  "an end that nobody knows": (bus, i) => bus.end(`unknown-${i}`),
  "a listener that comes and goes": (bus, i) => bus.subscribe(`s-${i}`, noop, { after: "now" })(),
  "a listener of one that nobody opened": (bus, i) => bus.subscribe(`waiting-${i}`, noop)(),
  "a WebSocket that comes and goes": (bus, i) =>
    followOverWebSocket(bus, `s-${i}`, socket, { after: "0-0" })(),
  "an iterator that comes and goes": (bus, i) =>
    void bus.follow(`s-${i}`, { after: "now" })[Symbol.asyncIterator]().return?.(),
  "a disconnect": (bus, i) => bus.disconnect(`other-${i % 7}`),
  stats: (bus) => bus.stats(),
};

let counter: OperationCounter;

beforeAll(() => {
  vi.spyOn(process, "emitWarning").mockReturnValue(undefined);
  counter = new OperationCounter();
});

afterAll(() => {
  counter.close();
  vi.restoreAllMocks();
});

/** What each operation takes, on average, in a world of `n`. */
async function costs({ options, fill }: World, n: number): Promise<Record<string, number>> {
  const bus = createEventBus(options?.(n));
  fill(bus, n);
  const taken: Record<string, number> = {};
  for (const [name, operate] of Object.entries(OPERATIONS)) {
    taken[name] =
      counter.count(() => {
        for (let i = 0; i < REPEATS; i++) operate(bus, i);
      }) / REPEATS;
  }
  await bus.close();
  return taken;
}

describe.each(Object.entries(WORLDS))("among 16,000 %s", (_what, world) => {
  test("no operation takes more than among 1,000", { timeout: 120_000 }, async () => {
    // Once for what only the first time takes.
    await costs(world, 10);
    const few = await costs(world, FEW);
    const many = await costs(world, MANY);
    const grown = Object.keys(OPERATIONS).filter((name) => many[name]! > FLAT * few[name]! + 5);
    expect(Object.fromEntries(grown.map((name) => [name, `${few[name]} → ${many[name]}`]))).toEqual({});
  });
});

/** What is there in great number in one session, each with what ends it. */
const FOLLOWERS: Record<string, (bus: SessionEventBus) => () => unknown> = {
  "a listener": (bus) => bus.subscribe("s", noop, { after: "now" }),
  "an iterator": (bus) => {
    const iterator = bus.follow("s", { after: "now" })[Symbol.asyncIterator]();
    return () => void iterator.return?.();
  },
  "a WebSocket": (bus) => followOverWebSocket(bus, "s", socket),
};

describe.each(Object.entries(FOLLOWERS))("%s among 16,000 of one session", (_what, attach) => {
  function measure(n: number): { attached: number; detached: number; again: number } {
    const bus = createEventBus({ maxFollowers: 100_000, maxFollowersPerSession: 100_000 });
    report(bus, "s");
    const leave: (() => unknown)[] = [];
    const attached = counter.count(() => {
      for (let i = 0; i < n; i++) leave.push(attach(bus));
    });
    // Neither the first nor the last ones: somewhere in the middle.
    const middle = leave.splice(n >> 2, REPEATS);
    const detached = counter.count(() => {
      for (const each of middle) each();
    });
    const again = counter.count(() => {
      for (let i = 0; i < REPEATS; i++) attach(bus)();
    });
    return { attached: attached / n, detached: detached / REPEATS, again: again / REPEATS };
  }

  test("comes and goes at the cost of one among 1,000", { timeout: 120_000 }, () => {
    measure(10);
    const few = measure(FEW);
    const many = measure(MANY);
    for (const name of ["attached", "detached", "again"] as const) {
      expect([name, many[name] <= FLAT * few[name] + 5, few[name], many[name]]).toEqual([
        name,
        true,
        few[name],
        many[name],
      ]);
    }
  });
});
