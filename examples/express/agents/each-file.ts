import { reportProgress } from "session-progress";

const AT_ONCE = 8;
const STEPS = 20;

/**
 * Works through `files`, a few at a time, and reports how far it is: at most {@link STEPS} times, be there
 * ten files or ten thousand. Which agent it works for, it need not know.
 */
export async function eachFile<T>(
  files: readonly string[],
  work: (path: string) => Promise<T>,
  describe: (result: T, path: string) => string,
): Promise<T[]> {
  const total = files.length;
  const results: T[] = [];
  const stepAt = (done: number) => Math.floor((done * STEPS) / total);
  let done = 0;
  // One iterator for all: each worker takes the next file that nobody has taken.
  const queue = files.entries();
  const worker = async () => {
    for (const [index, path] of queue) {
      const result = await work(path);
      results[index] = result;
      done += 1;
      if (stepAt(done) > stepAt(done - 1)) {
        reportProgress({ progress: done, total, message: describe(result, path) });
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return results;
}
