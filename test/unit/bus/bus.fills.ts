import { createEventBus, type SessionEventBus } from "session-progress";
import { untyped } from "../../support/untyped.ts";

// Ways to fill logs, by what they are filled with: what takes how much of the heap differs as much as it can.

export const MIB: number = 1 << 20;

/** One report or event, the `n`th of its kind, into one of a few sessions or into one of its own. */
export type Fill = (bus: SessionEventBus, n: number) => unknown;

/** A string of its own: those that are repeated share their memory, and those put together do not take theirs yet. */
export function ownText(length: number, n: number, letter = "x"): string {
  return Buffer.from(`${n} `.padEnd(length, letter)).toString("utf8");
}

function many<T>(count: number, make: (n: number) => T): T[] {
  return Array.from({ length: count }, (_, n) => make(n));
}

const ts = "2026-11-22T08:37:06.927Z";
const few = (n: number): string => `s-${n % 4}`;

/** Text, of which the heap should hold at most twice what is counted. */
export const TEXTS: Record<string, Fill> = {
  "short messages": (bus, n) => bus.publish(few(n), { message: ownText(20, n) }),
  "messages of 200 characters": (bus, n) => bus.publish(few(n), { message: ownText(200, n) }),
  "long messages": (bus, n) => bus.publish(few(n), { message: ownText(20_000, n) }),
  "messages of two bytes a letter": (bus, n) => bus.publish(few(n), { message: ownText(2_000, n, "ä") }),
  "messages of three bytes a letter": (bus, n) => bus.publish(few(n), { message: ownText(2_000, n, "語") }),
  "messages with one wide letter": (bus, n) => bus.publish(few(n), { message: `${ownText(2_000, n)}語` }),
  "messages full of emoji": (bus, n) => bus.publish(few(n), { message: ownText(1_000, n, "💡") }),
  "messages full of escapes": (bus, n) => bus.publish(few(n), { message: ownText(2_000, n, "\u0001") }),
  "text in data": (bus, n) => bus.publish(few(n), { data: { text: ownText(2_000, n) } }),
  "wide text in data": (bus, n) => bus.publish(few(n), { data: { text: ownText(2_000, n, "語") } }),
};

/** Anything else: at most three times. */
export const SHAPES: Record<string, Fill> = {
  "nothing at all": (bus, n) => bus.publish(few(n), {}),
  "data of one number": (bus, n) => bus.publish(few(n), { data: n }),
  "data of one empty object": (bus, n) => bus.publish(few(n), { data: {} }),
  "empty objects": (bus, n) => bus.publish(few(n), { data: many(500, () => ({})) }),
  "empty arrays": (bus, n) => bus.publish(few(n), { data: many(500, () => []) }),
  "long numbers": (bus, n) => bus.publish(few(n), { data: many(500, (i) => (i + n) * 1.1) }),
  "short numbers": (bus, n) => bus.publish(few(n), { data: many(500, (i) => i % 10) }),
  "short strings": (bus, n) => bus.publish(few(n), { data: many(500, (i) => `${i}-${n}`) }),
  "objects of many keys": (bus, n) =>
    bus.publish(few(n), { data: Object.fromEntries(many(200, (i) => [`k${i}-${n}`, i])) }),
  "nested objects": (bus, n) =>
    bus.publish(few(n), { data: JSON.parse('{"a":'.repeat(300) + "1" + "}".repeat(300)) as unknown }),
  "a bit of everything": (bus, n) =>
    bus.publish(few(n), {
      message: ownText(40, n),
      progress: n,
      total: null,
      data: { n, list: [1, {}, [], null, "x"] },
    }),
  "agents of their own": (bus, n) => bus.publish(few(n), { agent: `agent ${n}`, message: ownText(20, n) }),
  "agents with long names": (bus, n) => bus.publish(few(n), { agent: ownText(250, n) }),
  "runs of their own": (bus, n) =>
    bus.sink(few(n)).event({ t: "run_end", run: `run ${n}`, status: "completed", ts }),
  "tasks with long paths": (bus, n) =>
    bus
      .sink(few(n))
      .event(untyped({ t: "agent_event", agent: "a", phase: "think", msg: "", task: ownText(500, n), ts })),
  "a session each": (bus, n) => bus.publish(`session-${n}`, {}),
  "a session each, with a message": (bus, n) => bus.publish(`session-${n}`, { message: ownText(300, n) }),
  "a session each, with data": (bus, n) => bus.publish(`session-${n}`, { data: many(100, () => ({})) }),
  "an opened session each": (bus, n) => bus.reporter(`session-${n}`),
  "a session with an owner each": (bus, n) =>
    bus.open({ sessionId: `session-${n}`, owner: { name: ownText(2_000, n) } }),
  "an ended session each": (bus, n) => {
    bus.publish(`session-${n}`, {});
    bus.end(`session-${n}`, { message: "ok" });
  },
};

/** A bus that lets nothing go. */
export function roomyBus(): SessionEventBus {
  return createEventBus({
    history: { maxEvents: 10_000_000, maxBytes: 256 * MIB, maxTotalBytes: 256 * MIB },
    maxSessions: 10_000_000,
  });
}

/** Does `put` once for what is made once: compiled code, the shapes of objects. Returns what a `put` counts. */
export async function warmUp(put: Fill): Promise<number> {
  const bus = roomyBus();
  for (let n = 0; n < 200; n++) put(bus, n);
  const { bytes } = bus.stats();
  await bus.close();
  return bytes / 200;
}
