import { performance } from "node:perf_hooks";
import { setImmediate, setTimeout } from "node:timers";

/**
 * Calls `report(session)` for each of `sessions` `perSecond` times a second, `seconds` long, and resolves after
 * the last.
 *
 * Each session has a phase of its own, and each report a turn of the event loop of its own, as with agents that
 * answer to sockets: a timer alone would gather what is due within its millisecond.
 */
export function reportSteadily({ sessions, perSecond, seconds }, report) {
  const phases = randomPhases(sessions.length);
  const periodMs = 1000 / perSecond;
  const count = Math.round(sessions.length * perSecond * seconds);
  const startedAt = performance.now();
  let made = 0;
  return new Promise((resolve) => {
    const wait = () => {
      const periods = Math.floor(made / sessions.length) + phases[made % sessions.length];
      const ms = startedAt + periods * periodMs - performance.now();
      if (ms > 0) setTimeout(next, ms);
      else setImmediate(next);
    };
    const next = () => {
      report(sessions[made % sessions.length]);
      if (++made === count) resolve();
      else wait();
    };
    wait();
  });
}

/** Ascending from 0 to 1; the same in every process, so that all peers bear the same load. */
function randomPhases(count) {
  let state = 1;
  const phases = Array.from({ length: count }, () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  });
  return phases.sort((a, b) => a - b);
}
