import type { SessionEntry, SessionEventBus } from "session-progress";

/** Follows `sessionId` from its start with a listener. The array grows with each entry. */
export function recordEntries(bus: SessionEventBus, sessionId: string): SessionEntry[] {
  const entries: SessionEntry[] = [];
  bus.subscribe(sessionId, (entry) => void entries.push(entry), { after: "start" });
  return entries;
}

/** What a follower of `sessionId` that comes now would read at once. */
export function readEntries(bus: SessionEventBus, sessionId: string): SessionEntry[] {
  const entries: SessionEntry[] = [];
  bus.subscribe(sessionId, (entry) => void entries.push(entry), { after: "start" })();
  return entries;
}
