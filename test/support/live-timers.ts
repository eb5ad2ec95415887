import { createHook } from "node:async_hooks";

/**
 * Counts the timers that the library has running, unref'd ones included: `process.getActiveResourcesInfo`
 * does not know those.
 */
export function watchTimers(): { count(): number; stop(): void } {
  const live = new Set<number>();
  const hook = createHook({
    init(id, type) {
      if (type !== "Timeout") return;
      const { stackTraceLimit } = Error;
      Error.stackTraceLimit = 30;
      if (new Error().stack?.includes("/src/runtime/timers.ts")) live.add(id);
      Error.stackTraceLimit = stackTraceLimit;
    },
    destroy(id) {
      live.delete(id);
    },
  }).enable();
  return { count: () => live.size, stop: () => void hook.disable() };
}
