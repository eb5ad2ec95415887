import { baselineNote } from "../lib/builds.mjs";
import { startPair } from "../lib/pair.mjs";
import { BASELINE, OURS, PEERS, PLAIN, present } from "../lib/peers.mjs";
import { ratio, rotated, typical } from "../lib/stats.mjs";

/** Rounds that do not count: the first few are the engine's. */
const WARM_UP = 3;
const LABELS = { [OURS]: "ours", [BASELINE]: "baseline", [PLAIN]: "event by event" };

export async function run({ quick, rounds = quick ? 1 : 8, progress }) {
  const followers = quick ? 20 : 1_000;
  const history = quick ? 50 : 1_000;
  const shapes = {
    "all from the start": () => 0,
    "each from elsewhere": (n) => Math.floor((n * history) / followers),
  };
  // A process each: the peak of memory belongs to one of them.
  const cases = present([OURS, BASELINE, PLAIN]).flatMap((name) =>
    Object.keys(shapes).map((shape) => ({ name, shape, label: `${LABELS[name]}, ${shape}` })),
  );
  const pairs = {};
  const samples = Object.fromEntries(cases.map(({ label }) => [label, []]));
  try {
    for (const { name, label } of cases) {
      pairs[label] = await startPair(name, { options: { history } });
      if (PEERS[name].resumes) await pairs[label].server.call("fill", { sessions: 1, events: history });
    }
    for (let round = quick ? 0 : -WARM_UP; round < rounds; round++) {
      for (const { name, shape, label } of rotated(cases, Math.max(round, 0))) {
        progress(`round ${round + 1} of ${rounds}, ${label}`);
        const seen = Array.from({ length: followers }, (_, n) => shapes[shape](n));
        const sample = await storm(pairs[label], name, seen, history);
        if (round >= 0) samples[label].push(sample);
      }
    }
  } finally {
    await Promise.all(Object.values(pairs).map((pair) => pair.stop()));
  }
  const less = (shape) => ratio(samples[`event by event, ${shape}`], samples[`ours, ${shape}`], "cpuMs");
  return {
    title: `${followers} followers reconnect at once, ${history} events of history`,
    note: baselineNote(),
    rounds,
    rows: Object.entries(samples).map(([name, own]) => ({
      replay: name,
      "CPU ms": typical(own, "cpuMs"),
      "CPU µs / delivery": typical(own, "cpuUsPerDelivery"),
      "wall ms": typical(own, "wallMs"),
      "peak RSS MiB": Math.max(...own.map((sample) => sample.peakRssMiB)),
    })),
    targets: Object.keys(shapes).map((shape) => ({
      what: `less CPU than event by event, ${shape}`,
      atLeast: true,
      limit: 10,
      unit: "×",
      measured: less(shape),
    })),
    settings: { followers, history },
    samples,
  };
}

async function storm(pair, name, seen, history) {
  const epoch = PEERS[name].resumes
    ? (await pair.server.call("idAt", { session: "s0", position: 0 })).split("-")[0]
    : "0";
  const lastEventIds = seen.map((position) => (position === 0 ? undefined : `${epoch}-${position}`));
  const total = seen.reduce((sum, position) => sum + history - position, 0);
  const all = Array(seen.length).fill("s0");
  await pair.server.call("mark");
  await pair.follow(all, { lastEventIds, atOnce: seen.length });
  await pair.client.call("until", { total });
  const { cpuUs, wallMs, peakRssBytes } = await pair.server.call("spent");
  const { received, least, most } = await pair.client.call("counts");
  const expected = { least: history - seen.at(-1), most: history - seen[0] };
  if (received !== total || least !== expected.least || most !== expected.most) {
    throw new Error(`${name}: expected ${total} events in all, got ${received} (${least} to ${most} each)`);
  }
  await pair.leave();
  return {
    cpuMs: cpuUs / 1000,
    cpuUsPerDelivery: cpuUs / total,
    wallMs,
    peakRssMiB: peakRssBytes / 2 ** 20,
  };
}
