import { baselineNote } from "../lib/builds.mjs";
import { affordable, fewerNote } from "../lib/limits.mjs";
import { forEachPeer, withPair } from "../lib/pair.mjs";
import { BARE, BASELINE, OURS, PLAIN, present } from "../lib/peers.mjs";
import { rotated, typical } from "../lib/stats.mjs";

const WANTED = 5_000;
const peers = present([
  BARE,
  OURS,
  BASELINE,
  "ours, Hono",
  PLAIN,
  "@fastify/sse",
  "better-sse",
  "hono streamSSE",
]);
const builds = present([OURS, BASELINE]);
const sessionEach = (build) => `${build}, a session each`;
const idleSession = (build) => `${build}, an idle session of one event`;

export async function run({ quick, rounds = quick ? 1 : 3, progress }) {
  const followers = quick ? 50 : affordable(WANTED);
  const sessions = quick ? 100 : 100_000;
  const names = [...peers, ...builds.map(sessionEach), ...builds.map(idleSession)];
  const samples = Object.fromEntries(names.map((name) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    await forEachPeer(rotated(peers, round), { atOnce: quick }, async (name) => {
      progress(`round ${round + 1} of ${rounds}, ${name}`);
      samples[name].push(await perFollower(name, () => "s0", followers));
    });
    await forEachPeer(rotated(builds, round), { atOnce: quick }, async (build) => {
      progress(`round ${round + 1} of ${rounds}, sessions of ${build}`);
      samples[sessionEach(build)].push(await perFollower(build, (n) => `s${n}`, followers));
      samples[idleSession(build)].push(await perSession(build, sessions));
    });
  }
  const kb = (name) => typical(samples[name], "bytes") / 1000;
  return {
    title: `${followers} idle followers, ${sessions} idle sessions`,
    note: quick ? undefined : [fewerNote(WANTED, followers), baselineNote()],
    rounds,
    rows: Object.entries(samples).map(([name, own]) => ({
      each: name,
      "heap + external, KB": kb(name),
      "RSS, KB": typical(own, "rssBytes") / 1000,
    })),
    targets: [
      {
        what: "an idle follower beyond plain Node http",
        limit: 1,
        unit: " KB",
        measured: kb(OURS) - kb(PLAIN),
      },
    ],
    settings: { followers, sessions },
    samples,
  };
}

function perFollower(name, sessionOf, followers) {
  return growth(name, followers, async (pair, from, to) => {
    await pair.follow(Array.from({ length: to - from }, (_, n) => sessionOf(from + n)));
    await pair.attached();
  });
}

function perSession(name, sessions) {
  return growth(name, sessions, (pair, _from, to) => pair.server.call("fill", { sessions: to, events: 1 }));
}

/** What `count` more of something cost each, after a tenth of them has warmed everything up. */
function growth(name, count, add) {
  return withPair(name, { execArgv: ["--expose-gc"] }, async (pair) => {
    const first = Math.ceil(count / 10);
    await add(pair, 0, first);
    const before = await pair.server.call("memory");
    await add(pair, first, count);
    const after = await pair.server.call("memory");
    const bytes = after.heapUsed + after.external - before.heapUsed - before.external;
    return { bytes: bytes / (count - first), rssBytes: (after.rss - before.rss) / (count - first) };
  });
}
