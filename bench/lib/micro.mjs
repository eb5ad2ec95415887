import { spawn } from "./rpc.mjs";
import { rotated } from "./stats.mjs";

/**
 * Measures cases side by side, each in a process of its own: `counts[name]` operations a round.
 *
 * `also(name, child)` may ask a case's process for more when all rounds are done.
 */
export async function micro({ module, counts, rounds, warmUp = 2, onRound, also }) {
  const names = Object.keys(counts);
  const samples = Object.fromEntries(names.map((name) => [name, []]));
  const children = new Map(
    names.map((name) => [name, spawn("./micro-process.mjs", { execArgv: ["--expose-gc"] })]),
  );
  try {
    const measure = (name) => children.get(name).call("measure", { count: counts[name] });
    await Promise.all(names.map((name) => children.get(name).call("start", { module, name })));
    for (let n = 0; n < warmUp; n++) for (const name of names) await measure(name);
    for (let round = 0; round < rounds; round++) {
      for (const name of rotated(names, round)) samples[name].push(await measure(name));
      onRound?.(round + 1);
    }
    for (const name of names) await also?.(name, children.get(name));
  } finally {
    await Promise.all([...children.values()].map((child) => child.stop()));
  }
  return samples;
}
