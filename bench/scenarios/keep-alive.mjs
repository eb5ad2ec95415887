import { setTimeout } from "node:timers/promises";
import { affordable, fewerNote } from "../lib/limits.mjs";
import { forEachPeer, withPair } from "../lib/pair.mjs";
import { BARE, OURS, PLAIN } from "../lib/peers.mjs";
import { rotated, typical } from "../lib/stats.mjs";

const WANTED = 10_000;
const peers = [BARE, OURS, PLAIN, "@fastify/sse", "better-sse", "hono streamSSE"];

export async function run({ quick, rounds = quick ? 1 : 3, progress }) {
  const followers = quick ? 20 : affordable(WANTED);
  const settings = quick
    ? { followers, keepAliveMs: 100, windowMs: 400 }
    : { followers, keepAliveMs: 2_000, windowMs: 8_000 };
  const samples = Object.fromEntries(peers.map((name) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    await forEachPeer(rotated(peers, round), { atOnce: quick }, async (name) => {
      progress(`round ${round + 1} of ${rounds}, ${name}`);
      samples[name].push(await measure(name, settings));
    });
  }
  return {
    title: `Keep-alive of ${followers} idle followers`,
    note: quick ? undefined : fewerNote(WANTED, followers),
    rounds,
    rows: Object.entries(samples).map(([name, own]) => ({
      server: name,
      "CPU µs / keep-alive": typical(own, "cpuUsPerKeepAlive"),
      "CPU ms / round": (typical(own, "cpuUsPerKeepAlive") * followers) / 1000,
      "% of one core at 15 s": (typical(own, "cpuUsPerKeepAlive") * followers) / 150_000,
    })),
    targets: [],
    settings,
    samples,
  };
}

// A colon stands once in every comment, whatever its text.
function measure(name, { followers, keepAliveMs, windowMs }) {
  return withPair(name, { options: { keepAliveMs }, marker: ":" }, async (pair) => {
    await pair.follow(Array(followers).fill("s0"));
    await pair.attached();
    await setTimeout(keepAliveMs * 2);
    await pair.client.call("reset");
    await pair.server.call("mark");
    await setTimeout(windowMs);
    const { cpuUs } = await pair.server.call("spent");
    const { least, received } = await pair.client.call("counts");
    if (least === 0) throw new Error(`${name}: a follower got no keep-alive in ${windowMs} ms`);
    return { cpuUsPerKeepAlive: cpuUs / received, received };
  });
}
