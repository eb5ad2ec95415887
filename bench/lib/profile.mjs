import { writeFileSync } from "node:fs";
import { startFollowed } from "./fanout.mjs";
import { PEERS } from "./peers.mjs";
import { table } from "./results.mjs";

const BLOCKS = 8;

/** Runs one server of a scenario alone under the CPU profiler and prints where its own time goes. */
export async function profile(name, { profiled, shape, start = startFollowed }, server = profiled) {
  if (PEERS[server] === undefined || shape === undefined) {
    throw new Error(`Expected a scenario with followers and one of ${Object.keys(PEERS).join(", ")}`);
  }
  const pair = await start(server, shape);
  try {
    await pair.server.call("profile", { on: true });
    for (let n = 0; n < BLOCKS; n++) await pair.block();
    const found = await pair.server.call("profile", { on: false });
    const file = new URL(`../results/${name}.cpuprofile`, import.meta.url);
    writeFileSync(file, JSON.stringify(found));
    console.log(`${server}, ${name}: self time of the server\n\n${table(topFunctions(found, 30))}`);
  } finally {
    await pair.stop();
  }
}

function topFunctions({ nodes, samples, timeDeltas }, length) {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const selfUs = new Map();
  let total = 0;
  for (const [at, id] of samples.entries()) {
    const { functionName, url, lineNumber } = byId.get(id).callFrame;
    if (functionName === "(idle)") continue;
    const place = `${functionName || "(anonymous)"} ${shortened(url)}${url === "" ? "" : `:${lineNumber + 1}`}`;
    selfUs.set(place, (selfUs.get(place) ?? 0) + timeDeltas[at]);
    total += timeDeltas[at];
  }
  return [...selfUs]
    .sort(([, a], [, b]) => b - a)
    .slice(0, length)
    .map(([place, us]) => ({
      "% of busy time": (us / total) * 100,
      "self ms": us / 1000,
      function: place.trim(),
    }));
}

function shortened(url) {
  return url.replace(/^.*\/node_modules\//, "").replace(/^.*\/bench\//, "bench/");
}
