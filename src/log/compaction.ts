import type { Phase, SessionEvent } from "../protocol/event.ts";

type Lane = Partial<Record<Phase | "other", number | undefined>>;

/**
 * The position of the newest entry of every (run, agent, task, phase), of every run's end, and of whatever
 * else there is.
 *
 * Two levels, because an agent's name is a string that already is in the map: joining it with the phase
 * would build and hash a new one for each event.
 */
export class NewestOfKind {
  readonly #lanes = new Map<string, Lane>();

  /** The newest entry of the kind of `event`. */
  of(event: SessionEvent): number | undefined {
    return this.#lanes.get(laneOf(event))?.[slotOf(event)];
  }

  /** Makes `event`, at `position`, the newest of its kind and returns where the one before stands. */
  replace(event: SessionEvent, position: number): number | undefined {
    const key = laneOf(event);
    let lane = this.#lanes.get(key);
    if (lane === undefined) this.#lanes.set(key, (lane = {}));
    const slot = slotOf(event);
    const previous = lane[slot];
    lane[slot] = position;
    return previous;
  }

  /** Forgets the newest of the kind of `event`. */
  delete(event: SessionEvent): void {
    const key = laneOf(event);
    const lane = this.#lanes.get(key);
    if (lane === undefined) return;
    lane[slotOf(event)] = undefined;
    if (Object.values(lane).every((position) => position === undefined)) this.#lanes.delete(key);
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
