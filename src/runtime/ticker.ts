import { runOutside } from "./async-context.ts";
import { warnOnce } from "./diagnostics.ts";
import { every, monotonicNow } from "./timers.ts";

/** What a ticker calls. */
export interface Ticking {
  /** Called once a period with {@link monotonicNow}. What it throws is a process warning, and hurts no other. */
  tick(now: number): void;
}

interface Group {
  readonly stop: () => void;
  readonly members: Set<Ticking>;
}

/**
 * One timer for all members of the same period, running only while there are any.
 *
 * A timer each would be the larger part of what an idle follower costs.
 */
export class Ticker {
  readonly #byPeriod = new Map<number, Group>();

  join(member: Ticking, periodMs: number): void {
    let group = this.#byPeriod.get(periodMs);
    if (group === undefined) {
      group = startGroup(periodMs);
      this.#byPeriod.set(periodMs, group);
    }
    group.members.add(member);
  }

  leave(member: Ticking, periodMs: number): void {
    const group = this.#byPeriod.get(periodMs);
    if (!group?.members.delete(member) || group.members.size > 0) return;
    group.stop();
    this.#byPeriod.delete(periodMs);
  }
}

function startGroup(periodMs: number): Group {
  const members = new Set<Ticking>();
  let stop = (): void => undefined;
  // Outside: a timer holds the context it was made in, and that would keep one run's reporter alive.
  runOutside(() => {
    stop = every(periodMs, () => {
      const now = monotonicNow();
      for (const member of members) {
        try {
          member.tick(now);
        } catch (thrown) {
          warnOnce("tick", "A follower could not be looked after", thrown);
        }
      }
    });
  });
  return { stop, members };
}
