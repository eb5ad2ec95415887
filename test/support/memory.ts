import { nextTurn } from "./event-loop.ts";

/** Bytes that this process holds on to: heap, Buffers and what else hangs on objects. */
export async function heldBytes(): Promise<number> {
  const { gc } = globalThis as { gc?: () => void };
  if (gc === undefined) throw new Error("run with --expose-gc");
  // Finalizers of one collection free what the next one sees.
  for (let round = 0; round < 4; round++) {
    gc();
    await nextTurn();
  }
  const { heapUsed, external } = process.memoryUsage();
  // `external` includes `arrayBuffers`.
  return heapUsed + external;
}
