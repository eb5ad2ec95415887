import { setImmediate as immediate } from "node:timers/promises";
import { vi } from "vitest";
import type { AgentEvent, SessionEntry, SessionEventBus, SessionEvent } from "session-progress";

/** What code without types may pass. */
export function untyped(value: unknown): never {
  return value as never;
}

/** The turn of the event loop in which everything reported so far has been offered to followers. */
export async function nextTurn(): Promise<void> {
  await immediate();
  await immediate();
}

/** A promise that is settled from outside. */
export function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve: () => void = () => {};
  const promise = new Promise<void>((settle) => (resolve = settle));
  return { promise, resolve };
}

/** Waits until `condition` holds. */
export function until(condition: () => boolean): Promise<unknown> {
  return vi.waitUntil(condition, { interval: 5, timeout: 5_000 });
}

/** One word or two for what an event says, for short assertions. */
export function say(item: SessionEvent | SessionEntry): string {
  const event = "event" in item ? item.event : item;
  switch (event.t) {
    case "agent_event":
      return event.msg;
    case "gap":
      return `gap ${event.reason} ${event.missed ?? event.lost ?? ""}`.trimEnd();
    case "run_end":
      return `run ${event.status}`;
    case "session_end":
      return `end ${event.status}`;
  }
}

/** The positions of `entries`. */
export function positions(entries: readonly SessionEntry[]): number[] {
  return entries.map(({ id }) => Number(id.split("-")[1]));
}

export function epochOf(entry: SessionEntry | undefined): bigint {
  return BigInt(entry?.id.split("-")[0] ?? 0);
}

/** The event as an agent's; fails when it is another. */
export function agentEvent(item: SessionEvent | SessionEntry | undefined): AgentEvent {
  const event = item !== undefined && "event" in item ? item.event : item;
  if (event?.t !== "agent_event") throw new Error(`Not an agent_event: ${JSON.stringify(event)}`);
  return event;
}

/** Follows `sessionId` from its start with a listener; what it was told grows with each event. */
export function listen(bus: SessionEventBus, sessionId: string): SessionEntry[] {
  const entries: SessionEntry[] = [];
  bus.subscribe(sessionId, (entry) => void entries.push(entry), { after: "start" });
  return entries;
}

/** What a follower of `sessionId` would read now. */
export function readAll(bus: SessionEventBus, sessionId: string): SessionEntry[] {
  const entries: SessionEntry[] = [];
  bus.subscribe(sessionId, (entry) => void entries.push(entry), { after: "start" })();
  return entries;
}

/** What the `error` hook of `bus` is told, from now on. */
export function faultsOf(bus: SessionEventBus): Error[] {
  const faults: Error[] = [];
  bus.on("error", (error) => void faults.push(error));
  return faults;
}

/** Process warnings made by `fn`, instead of showing them. */
export async function warningsOf(fn: () => unknown): Promise<unknown[]> {
  const emitWarning = vi.spyOn(process, "emitWarning").mockImplementation(() => undefined);
  try {
    await fn();
    await nextTurn();
    return emitWarning.mock.calls.map(([message]) => message);
  } finally {
    emitWarning.mockRestore();
  }
}
