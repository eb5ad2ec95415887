import type { Phase, SessionEvent } from "./event.ts";

interface Holder {
  readonly event: SessionEvent;
}

type Lane<E> = Partial<Record<Phase | "other", E | undefined>>;

/**
 * The newest entry of every (run, agent, task, phase), of every run's end, and of whatever else there is.
 *
 * Two levels, because an agent's name is a string that already is in the map: joining it with the phase
 * would build and hash a new one for each event.
 */
export class NewestOfKind<E extends Holder> {
  readonly #lanes = new Map<string, Lane<E>>();

  /** Makes `entry` the newest of its kind and returns the one that it supersedes. */
  replace(entry: E): E | undefined {
    const key = laneOf(entry.event);
    let lane = this.#lanes.get(key);
    if (lane === undefined) this.#lanes.set(key, (lane = {}));
    const slot = slotOf(entry.event);
    const previous = lane[slot];
    lane[slot] = entry;
    return previous;
  }

  /** Forgets `entry`, the newest of its kind. */
  delete(entry: E): void {
    const key = laneOf(entry.event);
    const lane = this.#lanes.get(key);
    if (lane === undefined) return;
    lane[slotOf(entry.event)] = undefined;
    if (Object.values(lane).every((other) => other === undefined)) this.#lanes.delete(key);
  }
}

function slotOf(event: SessionEvent): Phase | "other" {
  return event.t === "agent_event" ? event.phase : "other";
}

function laneOf(event: SessionEvent): string {
  if (event.t === "run_end") return `\0${event.t}\0${event.run}`;
  if (event.t !== "agent_event") return `\0${event.t}`;
  const { agent, run, task } = event;
  return run === undefined && task === undefined ? agent : `${agent}\0${run ?? ""}\0${task ?? ""}`;
}
