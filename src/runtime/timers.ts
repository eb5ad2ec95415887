import { runOutside } from "./async-context.ts";

// Captured at load: fake timers in a user's tests must not stop delivery, keep-alive or expiry.
const { setTimeout, clearTimeout, setInterval, clearInterval } = globalThis;
const immediate = globalThis.setImmediate as typeof setImmediate | undefined;
const { performance } = globalThis;

/** Milliseconds of a clock that never goes back. */
export function monotonicNow(): number {
  return performance.now();
}

/**
 * Runs `fn` when the current turn of the event loop is over, under no ambient reporter.
 *
 * Not a microtask: an agent that awaits resolved promises would get a flush for each.
 */
export function afterTurn(fn: () => void): void {
  runOutside(schedule, fn);
}

const schedule: (fn: () => void) => void =
  immediate === undefined ? (fn) => void setTimeout(fn, 0) : (fn) => void immediate(fn);

/** Resolves with `true` when `promise` settles within `ms`, else with `false`. */
export function settlesWithin(promise: Promise<unknown>, ms: number): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      resolve(false);
    }, ms);
    const settled = (): void => {
      clearTimeout(timer);
      resolve(true);
    };
    promise.then(settled, settled);
  });
}

/** Something that wants to be called now and then. */
export interface Beating {
  beat(now: number): void;
}

interface Group {
  timer: ReturnType<typeof setInterval> | undefined;
  readonly members: Set<Beating>;
}

/**
 * One timer for all that beat at the same period, running only while there are any.
 *
 * A timer each would be the larger part of what an idle follower costs.
 */
export class Pulse {
  readonly #byPeriod = new Map<number, Group>();

  join(member: Beating, periodMs: number): void {
    let group = this.#byPeriod.get(periodMs);
    if (group === undefined) {
      group = startGroup(periodMs);
      this.#byPeriod.set(periodMs, group);
    }
    group.members.add(member);
  }

  leave(member: Beating, periodMs: number): void {
    const group = this.#byPeriod.get(periodMs);
    if (!group?.members.delete(member) || group.members.size > 0) return;
    clearInterval(group.timer);
    this.#byPeriod.delete(periodMs);
  }
}

function startGroup(periodMs: number): Group {
  const group: Group = { timer: undefined, members: new Set() };
  // Outside: a timer holds the context it was made in, and that would keep one run's reporter alive.
  runOutside(() => {
    group.timer = setInterval(() => {
      const now = monotonicNow();
      for (const member of group.members) member.beat(now);
    }, periodMs);
    unref(group.timer);
  });
  return group;
}

/** Browsers' timers are numbers. */
function unref(timer: unknown): void {
  (timer as { unref?(): void }).unref?.();
}
