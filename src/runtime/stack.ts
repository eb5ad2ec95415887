/**
 * Throws a RangeError now if the stack is nearly used up, before the caller has changed anything.
 *
 * An agent may recurse too deeply and report on the way. A change in several steps that calls functions between
 * them then stops half-way. A promise that is made there while an `AsyncLocalStorage` is in use ends the process,
 * before Node 24: the hook that follows promises cannot run, and an error of that hook is fatal.
 *
 * Whoever calls this first has about 64 KiB for its steps. It costs about 0.3 µs, too much for each report:
 * reports get along with steps that cannot fail.
 *
 * @param nested How many reservations this one lies within: it asks for less, or it would fail in the middle of them.
 */
export function reserveStack(nested = 0): void {
  dig(DEPTH - nested * STEP, 0, 0, 0, 0, 0, 0, 0);
}

/** Frames of at least 100 bytes each. */
const DEPTH = 640;
/** More frames than lie between one reservation and the next inside it. */
const STEP = 64;

function dig(
  left: number,
  a: number,
  b: number,
  c: number,
  d: number,
  e: number,
  f: number,
  g: number,
): number {
  return left === 0 ? a : dig(left - 1, b, c, d, e, f, g, a) + 1;
}
