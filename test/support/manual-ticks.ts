import type { SessionEventBus } from "session-progress";
import { hubOf } from "../../src/bus/hub-of.ts";
import type { Ticking } from "../../src/runtime/ticker.ts";

/** Takes the clock of what a bus calls now and then into the test's hands. To be called before anything joins. */
export function manualTicks(bus: SessionEventBus): { tick(times: number): void; readonly members: number } {
  const members = new Set<Ticking>();
  const { ticker } = hubOf(bus);
  ticker.join = (member) => void members.add(member);
  ticker.leave = (member) => void members.delete(member);
  return {
    tick: (times) => {
      for (let i = 0; i < times; i++) for (const member of members) member.tick(performance.now());
    },
    get members() {
      return members.size;
    },
  };
}
