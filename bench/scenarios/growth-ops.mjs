import { baselineDist, baselineNote } from "../lib/builds.mjs";
import { spawn } from "../lib/rpc.mjs";
import { ratio, rotated, typical } from "../lib/stats.mjs";
import { MEASURED } from "./growth-ops-cases.mjs";

const module = new URL("./growth-ops-cases.mjs", import.meta.url).href;
/** How long one measurement takes, about. */
const MEASURE_NS = 30_000_000;
/** What comes before: V8 goes on optimising for some hundred thousand calls. */
const WARM_UP_NS = 300_000_000;

export async function run({ quick, rounds = quick ? 1 : 7, progress }) {
  const sizes = quick ? [10, 20] : [1_000, 4_000, 16_000];
  const builds =
    baselineDist === undefined ? { ours: undefined } : { ours: undefined, baseline: baselineDist };
  const samples = {};
  // A process for each build and size, not for each operation: they meet in one process in an application too.
  const children = Object.entries(builds).flatMap(([build, dist]) =>
    sizes.map((size) => ({
      build,
      dist,
      size,
      process: spawn("./micro-process.mjs", { execArgv: ["--expose-gc"] }),
    })),
  );
  try {
    for (const name of Object.entries(MEASURED).flatMap(([state, all]) =>
      all.map((one) => `${state}: ${one}`),
    )) {
      progress(name);
      Object.assign(samples, { [name]: await measure(name, children, { quick, rounds }) });
    }
  } finally {
    await Promise.all(children.map(({ process }) => process.stop()));
  }
  const grown = (name, build) => growth(samples[name], build, sizes);
  return {
    title: `Growth: time per operation from ${sizes[0]} to ${sizes.at(-1)} sessions or listeners`,
    note: ["A report to n listeners counts as n.", baselineNote()],
    rounds,
    rows: Object.keys(samples).flatMap((name) =>
      Object.keys(builds).map((build) => ({
        state: name.split(": ")[0],
        operation: name.split(": ")[1],
        ...(baselineDist !== undefined && { build }),
        ...Object.fromEntries(
          sizes.map((size) => [
            `ns at ${size}`,
            typical(samples[name][`${build} ${size}`], "nsPerOperation"),
          ]),
        ),
        ratio: grown(name, build),
      })),
    ),
    targets: worstByOperation(Object.keys(samples), (name) => grown(name, "ours")),
    settings: { sizes },
    samples,
  };
}

/** Samples of one operation by build and size. */
async function measure(name, children, { quick, rounds }) {
  const found = Object.fromEntries(children.map(({ build, size }) => [`${build} ${size}`, []]));
  const counts = new Map();
  for (const child of children) {
    await child.process.call("start", { module, name, options: { size: child.size, dist: child.dist } });
    counts.set(child, quick ? 10 : await warmUp(child));
  }
  for (let round = 0; round < rounds; round++) {
    for (const child of rotated(children, round)) {
      const sample = await child.process.call("measure", { count: counts.get(child) });
      found[`${child.build} ${child.size}`].push(sample);
    }
  }
  return found;
}

/** Finds how many calls take as long as one measurement should. */
async function warmUp({ process }) {
  let count = 10;
  let ns = 0;
  while (ns < WARM_UP_NS) {
    const { nsPerCall, least, most } = await process.call("measure", { count });
    ns += count * nsPerCall;
    count = Math.min(most, Math.max(least, Math.ceil(MEASURE_NS / nsPerCall)));
  }
  return count;
}

function growth(samples, build, sizes) {
  return ratio(samples[`${build} ${sizes.at(-1)}`], samples[`${build} ${sizes[0]}`], "nsPerOperation");
}

/** Each operation's largest ratio of all states. */
function worstByOperation(names, ratioOf) {
  const operations = [...new Set(names.map((name) => name.split(": ")[1]))];
  return operations.map((operation) => {
    const own = names.filter((name) => name.endsWith(`: ${operation}`));
    return {
      what: `${operation}, in its worst state`,
      limit: 1.5,
      unit: "×",
      measured: Math.max(...own.map(ratioOf)),
    };
  });
}
