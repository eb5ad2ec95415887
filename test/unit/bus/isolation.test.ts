import { EventEmitter } from "node:events";
import { setImmediate as immediate, setTimeout as delay } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { bindReporter, createEventBus, reportProgress, type SessionEntry, withAgent } from "session-progress";
import { collect } from "session-progress/testing";
import { asAgentEvent, positionsOf } from "../../support/events.ts";

const SESSIONS = 500;

/** Numbers that look random and are the same in every run (mulberry32). */
function dice(seed: number): (sides: number) => number {
  let state = seed;
  return (sides) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % sides;
  };
}

/** Ways for code to go on later; each must stay in its session. */
const detours: readonly ((shared: EventEmitter) => Promise<unknown>)[] = [
  () => Promise.resolve(),
  () => immediate(),
  () => delay(1),
  () => new Promise((resolve) => setTimeout(resolve, 2)),
  () => new Promise<void>((resolve) => process.nextTick(resolve)),
  () => new Promise<void>((resolve) => queueMicrotask(resolve)),
  () => Promise.all([immediate(), Promise.resolve().then(() => delay(1))]),
  () => Promise.any([Promise.reject(new Error()), immediate()]),
  () => Promise.resolve({ then: (resolve: (value: unknown) => void) => void setImmediate(resolve, 1) }),
  (shared) => new Promise<void>((resolve) => void shared.once("tick", () => resolve())),
];

/** One agent run: `steps` numbered reports with detours between them, each naming its session in `data`. */
async function agentRun(sessionId: string, seed: number, shared: EventEmitter): Promise<number> {
  const roll = dice(seed);
  const steps = 5 + roll(15);
  let step = 0;
  const report = (): void => void reportProgress({ message: `${step++}`, data: sessionId });
  for (let turn = 0; turn < steps; turn++) {
    await detours[roll(detours.length)]!(shared);
    report();
    if (roll(4) === 0) await withAgent(`agent-${roll(3)}`, () => immediate().then(report));
  }
  // Bound to this session, called from whichever session emits.
  shared.once("last", bindReporter(report));
  return step + 1;
}

describe("500 sessions at once", () => {
  test("never mix: each follower sees all events of its own session, in order, and no other", async () => {
    const bus = createEventBus();
    const shared = new EventEmitter().setMaxListeners(0);
    const ids = Array.from({ length: SESSIONS }, (_, i) => `session-${i}`);
    const listened = ids.map((id) => {
      const entries: SessionEntry[] = [];
      bus.subscribe(id, (entry) => void entries.push(entry));
      return entries;
    });
    const followed = ids.map((id) => collect(bus.follow(id)));

    let running = true;
    const runs = Promise.all(ids.map((id, i) => bus.withSession(id, () => agentRun(id, i, shared))));
    // Emitted in a context of its own: whoever loses theirs reports to this session instead.
    await bus.withSession("ticker", async () => {
      void runs.finally(() => (running = false));
      while (running) await immediate(shared.emit("tick"));
    });
    const expected = await runs;
    bus.withSession("session-0", () => shared.emit("last"));
    for (const id of ids) bus.end(id);

    for (const [i, id] of ids.entries()) {
      const entries = await followed[i]!;
      const count = expected[i]!;
      expect(entries).toEqual(listened[i]);
      expect(positionsOf(entries)).toEqual(Array.from({ length: count + 1 }, (_, n) => n + 1));
      expect(entries.at(-1)?.event.t).toBe("session_end");
      const reports = entries.slice(0, -1).map(asAgentEvent);
      expect(reports.map(({ msg }) => Number(msg))).toEqual(Array.from({ length: count }, (_, n) => n));
      expect(new Set(reports.map(({ data }) => data))).toEqual(new Set([id]));
    }
    expect(new Set(listened.flat().map(({ id }) => id.split("-")[0])).size).toBe(SESSIONS);
  });

  test("never mix when half of them are started inside the others", async () => {
    const bus = createEventBus();
    const outer = Array.from({ length: SESSIONS / 2 }, (_, i) => `outer-${i}`);
    await Promise.all(
      outer.map((id, i) =>
        bus.withSession(id, async () => {
          const inner = bus.start(
            async () => {
              await detours[i % 9]!(new EventEmitter());
              reportProgress({ data: `inner-${i}` });
            },
            { sessionId: `inner-${i}` },
          );
          await immediate();
          reportProgress({ data: id });
          await inner.done;
          reportProgress({ data: id });
          bus.end(id);
        }),
      ),
    );
    for (const [i, id] of outer.entries()) {
      const [own, other] = await Promise.all([collect(bus.follow(id)), collect(bus.follow(`inner-${i}`))]);
      expect(own.slice(0, -1).map((entry) => asAgentEvent(entry).data)).toEqual([id, id]);
      expect(other.slice(0, -1).map((entry) => asAgentEvent(entry).data)).toEqual([`inner-${i}`]);
    }
  });
});

test("no two of 20,000 sessions that open at once share an epoch; each has a larger one than all before", () => {
  const bus = createEventBus();
  const epochs = Array.from({ length: 20_000 }, (_, i) => BigInt(bus.reporter(`s-${i}`).epoch ?? 0));
  expect(epochs.filter((epoch, i) => i > 0 && epoch <= epochs[i - 1]!)).toEqual([]);
  expect(epochs.at(-1)! < 1n << 62n).toBe(true);
});
