import type { SessionEventBus } from "session-progress";

/** Listens to the `error` hook of `bus`. The array grows with each error. */
export function recordErrors(bus: SessionEventBus): Error[] {
  const errors: Error[] = [];
  bus.on("error", (error) => void errors.push(error));
  return errors;
}

/** Listens to the `drop` hook of `bus`. The array grows with each report that is refused. */
export function recordDrops(bus: SessionEventBus): [sessionId: string, reason: string][] {
  const drops: [string, string][] = [];
  bus.on("drop", (sessionId, reason) => void drops.push([sessionId, reason]));
  return drops;
}
