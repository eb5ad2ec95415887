import { nextTurn } from "./event-loop.ts";

/** Resolves when `check` holds, looking again each turn: for conditions that announce themselves nowhere. */
export async function eventually(what: string, check: () => boolean, withinMs = 50_000): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!check()) {
    if (performance.now() > deadline) throw new Error(`${what}: still not so after ${withinMs} ms`);
    await nextTurn();
  }
}

/** What `promise` resolves with. Rejects when that takes longer than any healthy run could. */
export async function within<T>(what: string, ms: number, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: took more than ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
