import { afterEach } from "vitest";

/** Undoes something a test has set up. */
export type Cleanup = () => unknown;

/**
 * Cleans up after each test of the file, or of the `describe` it is called in:
 *
 *     const cleanUp = cleanups();
 *     test("…", async () => {
 *       const { close } = await serve(…);
 *       cleanUp(close);
 *     });
 */
export function cleanups(): (...more: Cleanup[]) => void {
  const pending: Cleanup[] = [];
  afterEach(() => runLastFirst(pending.splice(0)));
  return (...more) => void pending.push(...more);
}

/** Runs every cleanup, the last one first, one after the other. Then throws what they have thrown. */
export async function runLastFirst(pending: readonly Cleanup[]): Promise<void> {
  const errors: unknown[] = [];
  for (const cleanup of pending.toReversed()) {
    try {
      await cleanup();
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length === 1) throw errors[0];
  if (errors.length > 1) throw new AggregateError(errors, `${errors.length} cleanups have failed`);
}
