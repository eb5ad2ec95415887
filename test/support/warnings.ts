import { vi } from "vitest";
import { settled } from "./event-loop.ts";

/** The process warnings made while `fn` runs and settles. They are not printed. */
export async function warningsDuring(fn: () => unknown): Promise<unknown[]> {
  const emitWarning = vi.spyOn(process, "emitWarning").mockImplementation(() => undefined);
  try {
    await fn();
    await settled();
    return emitWarning.mock.calls.map(([message]) => message);
  } finally {
    emitWarning.mockRestore();
  }
}
