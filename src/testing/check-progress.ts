import type { AgentEvent, GapEvent, SessionEntry, SessionEvent } from "../protocol/event.ts";

/** How far one agent's work was when it last said so. Fractions and bare counts are compared each with their like. */
interface Furthest {
  pct?: number;
  count?: number;
}

/**
 * What a person watching would find wrong, as sentences: `"codesmith fell from 0.6 to 0.4 at event 12"`.
 * Empty when nothing is.
 *
 * Looks at each (run, agent, task) alone: progress that falls, reports after the end, and gaps.
 * @example
 * ```ts
 * expect(checkProgress(recorder.events)).toEqual([]);
 * ```
 */
export function checkProgress(events: Iterable<SessionEvent | SessionEntry>): string[] {
  const complaints: string[] = [];
  const furthest = new Map<string, Furthest>();
  let ended = false;
  let number = 0;
  for (const item of events) {
    const event = "event" in item ? item.event : item;
    number++;
    if (ended) complaints.push(`${nameOf(event)} came after the end at event ${number}`);
    if (event.t === "session_end") ended = true;
    else if (event.t === "gap") complaints.push(`${describeGap(event)} before event ${number}`);
    else if (event.t === "agent_event") {
      const key = JSON.stringify([event.run, event.agent, event.task]);
      let far = furthest.get(key);
      if (far === undefined) furthest.set(key, (far = {}));
      const fall = advance(far, event);
      if (fall !== undefined) complaints.push(`${event.agent} fell from ${fall} at event ${number}`);
    }
  }
  return complaints;
}

/** Notes how far `event` is; returns from where to where it fell, if it did. */
function advance(far: Furthest, event: AgentEvent): string | undefined {
  // Where the total is known the fraction counts; a count of 50 is no more than a fraction of 0.6.
  const unit = event.pct === undefined ? "count" : "pct";
  const now = event.pct ?? event.progress;
  if (now === undefined) return undefined;
  const before = far[unit];
  far[unit] = now;
  return before !== undefined && now < before ? `${before} to ${now}` : undefined;
}

function nameOf(event: SessionEvent): string {
  return event.t === "agent_event" ? event.agent : event.t;
}

function describeGap({ reason, missed, lost }: GapEvent): string {
  if (reason === "reset") return "the position was reset";
  const count = missed ?? lost;
  return `${count ?? "some"} events were ${reason === "behind" ? "missed" : "dropped"}`;
}
