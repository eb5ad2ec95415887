import { setTimeout as delay } from "node:timers/promises";
import { reportProgress } from "session-progress";

const AT_ONCE = 4;
const STEPS = 20;

/** How an agent is to work. */
export interface Pace {
  /** Stops the work: what waits for it gets the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** How long working through all files takes at least, in milliseconds, so that there is something to watch. */
  readonly atLeastMs?: number | undefined;
}

/**
 * Works through `files`, a few at a time, and reports how far it is: at most {@link STEPS} times, be there
 * ten files or ten thousand. Which agent it works for, it need not know.
 */
export async function eachFile<T>(
  files: readonly string[],
  work: (path: string) => Promise<T>,
  describe: (result: T, path: string) => string,
  { signal, atLeastMs = 0 }: Pace = {},
): Promise<T[]> {
  const total = files.length;
  const workers = Math.min(AT_ONCE, total);
  const pauseMs = (atLeastMs * workers) / total;
  const results: T[] = [];
  const stepAt = (done: number) => Math.floor((done * STEPS) / total);
  let done = 0;
  // One iterator for all: each worker takes the next file that nobody has taken.
  const queue = files.entries();
  const worker = async () => {
    for (const [index, path] of queue) {
      signal?.throwIfAborted();
      if (pauseMs > 0) await delay(pauseMs, undefined, { signal });
      const result = await work(path);
      results[index] = result;
      done += 1;
      if (stepAt(done) > stepAt(done - 1)) {
        reportProgress({ progress: done, total, message: describe(result, path) });
      }
    }
  };
  await Promise.all(Array.from({ length: workers }, worker));
  return results;
}
