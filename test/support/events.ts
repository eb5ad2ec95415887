import type { AgentEvent, SessionEntry, SessionEvent } from "session-progress";

/** What an event says in a word or two, for short assertions: its message, or `gap reset`, `end failed`. */
export function describeEvent(item: SessionEvent | SessionEntry): string {
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

/** The event as an agent's. Throws when it is another. */
export function asAgentEvent(item: SessionEvent | SessionEntry | undefined): AgentEvent {
  const event = item !== undefined && "event" in item ? item.event : item;
  if (event?.t !== "agent_event") throw new Error(`Not an agent_event: ${JSON.stringify(event)}`);
  return event;
}

/** The positions in the ids of `entries`. */
export function positionsOf(entries: readonly SessionEntry[]): number[] {
  return entries.map(({ id }) => Number(id.split("-")[1]));
}

/** The epoch in the id of `entry`, 0 when there is none. */
export function epochOf(entry: SessionEntry | undefined): bigint {
  return BigInt(entry?.id.split("-")[0] ?? 0);
}
