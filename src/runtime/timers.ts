import { runOutside } from "./async-context.ts";
import { hostPerformance, hostTimers } from "./host-timers.ts";

// Captured at load: fake timers in a user's tests must not stop delivery, keep-alive or expiry.
const { setTimeout, clearTimeout, setInterval, clearInterval, setImmediate } = hostTimers();
const performance = hostPerformance();

/** The longest time that a timer takes; a longer one counts as 1 ms. */
const MAX_TIMER_MS = 2_147_483_647;
/** The last millisecond that a `Date` can hold. */
const MAX_DATE_MS = 8.64e15;

/** Milliseconds of a clock that never goes back. */
export function monotonicNow(): number {
  return performance.now();
}

/**
 * Whole milliseconds since 1970. Follows a `Date.now` that a test has replaced, as long as what it says is a time.
 */
export function wallNow(): number {
  try {
    const now: unknown = Date.now();
    if (typeof now === "number" && now >= 0 && now <= MAX_DATE_MS) return Math.floor(now);
  } catch {
    // Nobody who reports is to be hurt by a clock.
  }
  return Math.floor(performance.timeOrigin + performance.now());
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
  setImmediate === undefined ? (fn) => void setTimeout(fn, 0) : (fn) => void setImmediate(fn);

/** Resolves with `true` when `promise` settles within `ms`, else with `false`; `ms` may be of any size. */
export function settlesWithin(promise: Promise<unknown>, ms: number): Promise<boolean> {
  return new Promise((resolve) => {
    let timer: unknown;
    const wait = (left: number): void => {
      timer = setTimeout(
        () => {
          if (left > MAX_TIMER_MS) wait(left - MAX_TIMER_MS);
          else resolve(false);
        },
        Math.min(left, MAX_TIMER_MS),
      );
    };
    wait(ms);
    const settled = (): void => {
      clearTimeout(timer);
      resolve(true);
    };
    promise.then(settled, settled);
  });
}

/** Calls `fn` every `ms`, without keeping the process alive; returns what stops it. */
export function every(ms: number, fn: () => void): () => void {
  const timer = setInterval(fn, Math.min(ms, MAX_TIMER_MS));
  // Browsers' timers are numbers.
  (timer as { unref?(): void }).unref?.();
  return () => {
    clearInterval(timer);
  };
}
