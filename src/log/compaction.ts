/** The parts of an entry that say of which kind it is. */
interface Kind {
  readonly t: string;
  readonly agent?: string | undefined;
  readonly phase?: string | undefined;
  readonly run?: string | undefined;
  readonly task?: string | undefined;
}

type PositionByPhase = Record<string, number | undefined>;

/**
 * The position of the newest entry of every (run, agent, task, phase), of every run's end, and of whatever
 * else there is.
 *
 * Two levels, because an agent's name is a string that already is in the map: joining it with the phase
 * would build and hash a new one for each event.
 */
export class NewestOfKind {
  readonly #byAgent = new Map<string, PositionByPhase>();

  /** The newest entry of the kind of `entry`. */
  of(entry: Kind): number | undefined {
    return this.#byAgent.get(agentKey(entry))?.[phaseKey(entry)];
  }

  /** Makes `entry`, at `position`, the newest of its kind and returns where the one before stands. */
  replace(entry: Kind, position: number): number | undefined {
    const key = agentKey(entry);
    let positions = this.#byAgent.get(key);
    if (positions === undefined) this.#byAgent.set(key, (positions = {}));
    const phase = phaseKey(entry);
    const previous = positions[phase];
    positions[phase] = position;
    return previous;
  }

  /** Forgets the newest of the kind of `entry`. */
  delete(entry: Kind): void {
    const key = agentKey(entry);
    const positions = this.#byAgent.get(key);
    if (positions === undefined) return;
    positions[phaseKey(entry)] = undefined;
    if (Object.values(positions).every((position) => position === undefined)) this.#byAgent.delete(key);
  }
}

function phaseKey(entry: Kind): string {
  return entry.t === "agent_event" ? entry.phase! : "other";
}

function agentKey(entry: Kind): string {
  if (entry.t === "run_end") return `\0${entry.t}\0${entry.run!}`;
  if (entry.t !== "agent_event") return `\0${entry.t}`;
  const { agent, run, task } = entry;
  return run === undefined && task === undefined ? agent! : `${agent!}\0${run ?? ""}\0${task ?? ""}`;
}
