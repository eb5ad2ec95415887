/**
 * Calls `action` where about `frames` more calls would fill the stack. What `action` throws is kept from the
 * caller.
 *
 * The caller has called the very function before: compiling one takes far more stack than running it.
 */
export function nearStackEnd(frames: number, action: () => unknown): void {
  atStackDepth((left) => left >= frames, action);
}

/** As `nearStackEnd`, where this share of the whole stack is left. */
export function withStackLeft(share: number, action: () => unknown): void {
  atStackDepth((left, all) => left >= share * all, action);
}

function atStackDepth(isThere: (left: number, all: number) => boolean, action: () => unknown): void {
  let called = false;
  let all = 0;
  isThere(0, 1);
  const descend = (depth: number): number => {
    let left: number;
    try {
      left = descend(depth + 1) + 1;
    } catch {
      all = depth;
      return 0;
    }
    if (called || left > all) return left;
    try {
      if (!isThere(left, all)) return left;
      called = true;
      action();
    } catch {
      // The stack's end is the caller's matter.
    }
    return left;
  };
  descend(0);
}
