import type { SessionEventBus } from "session-progress";

/** Listens to the `error` hook of `bus`. The array grows with each error. */
export function recordErrors(bus: SessionEventBus): Error[] {
  const errors: Error[] = [];
  bus.on("error", (error) => void errors.push(error));
  return errors;
}
