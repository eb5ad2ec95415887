import { spawn } from "./rpc.mjs";
import { rotated } from "./stats.mjs";

/**
 * Measures cases of `module` side by side, each in a process of its own: what one does to the engine and to async
 * contexts must not reach another. `measured` says by label which `name` with which `options`, and `count`
 * operations a round.
 *
 * `also(label, child)` may ask a case's process for more when all rounds are done.
 */
export async function micro({ module, measured, rounds, warmUp = 2, onRound, also }) {
  const labels = Object.keys(measured);
  const samples = Object.fromEntries(labels.map((label) => [label, []]));
  const children = new Map(
    labels.map((label) => [label, spawn("./micro-process.mjs", { execArgv: ["--expose-gc"] })]),
  );
  try {
    const start = (label) => {
      const { name = label, options } = measured[label];
      return children.get(label).call("start", { module, name, options });
    };
    const measure = (label) => children.get(label).call("measure", { count: measured[label].count });
    await Promise.all(labels.map(start));
    for (let n = 0; n < warmUp; n++) for (const label of labels) await measure(label);
    for (let round = 0; round < rounds; round++) {
      for (const label of rotated(labels, round)) samples[label].push(await measure(label));
      onRound?.(round + 1);
    }
    for (const label of labels) await also?.(label, children.get(label));
  } finally {
    await Promise.all([...children.values()].map((child) => child.stop()));
  }
  return samples;
}
