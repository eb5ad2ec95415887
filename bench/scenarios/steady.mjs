import { baselineNote } from "../lib/builds.mjs";
import { fanout } from "../lib/fanout.mjs";
import { BARE, BASELINE, NCHAN, nchanNote, OURS, PLAIN, present } from "../lib/peers.mjs";
import { timesBaseline, withPublishers } from "../lib/rows.mjs";
import { median, ratio, typical } from "../lib/stats.mjs";
import { startSteady } from "../lib/steady.mjs";

const peers = present([BARE, OURS, BASELINE, PLAIN, "better-sse", "@fastify/sse", "hono streamSSE", NCHAN]);
const shapes = [
  { sessions: 300, followers: 1, perSecond: 10, seconds: 3 },
  { sessions: 1, followers: 300, perSecond: 50, seconds: 2 },
  { sessions: 1, followers: 1_000, perSecond: 20, seconds: 2 },
];
const quickShapes = [{ sessions: 3, followers: 2, perSecond: 10, seconds: 0.2, warmUpDeliveries: 6 }];

export const profiled = OURS;
export const shape = shapes[0];
export const start = startSteady;

export async function run({ quick, rounds = quick ? 1 : 9, progress }) {
  const measured = [];
  for (const each of quick ? quickShapes : shapes) {
    const onRound = (done) => progress(`${nameOf(each)}, round ${done} of ${rounds}`);
    measured.push({ name: nameOf(each), samples: await fanout({ ...each, peers, rounds, onRound, start }) });
  }
  const [{ name, samples: first }] = measured;
  const cpu = (peer) => ratio(first[OURS], first[peer], "cpuUsPerDelivery");
  return {
    title: "Steady: reports spread over time, as agents make them",
    note: [
      "Latency is from the call that reports to the client's read. `(the load alone)` is what its clockwork takes where nobody follows.",
      baselineNote(),
      nchanNote(),
    ],
    rounds,
    rows: measured.flatMap(({ name: shapeName, samples }) => rows(shapeName, samples)),
    targets: [
      { what: `CPU against plain \`res.write\`, ${name}`, limit: 1.1, unit: "×", measured: cpu(PLAIN) },
      { what: `CPU against bare TCP, ${name}, a stretch`, limit: 1.2, unit: "×", measured: cpu(BARE) },
    ],
    settings: { peers, shapes },
    samples: Object.fromEntries(measured.map(({ name: shapeName, samples }) => [shapeName, samples])),
  };
}

function rows(shapeName, samples) {
  const load = median(samples[BARE].map(({ loadUsPerDelivery }) => loadUsPerDelivery));
  const servers = withPublishers(samples).map(([server, own]) => ({
    "sessions × followers": shapeName,
    server,
    "CPU µs / delivery": typical(own, "cpuUsPerDelivery"),
    "× bare TCP": ratio(own, samples[BARE], "cpuUsPerDelivery"),
    "× `res.write`": ratio(own, samples[PLAIN], "cpuUsPerDelivery"),
    ...timesBaseline(own, samples, "cpuUsPerDelivery"),
    "p50 µs": typical(own, "p50Us"),
    "p99 µs": typical(own, "p99Us"),
    "p50 × bare TCP": ratio(own, samples[BARE], "p50Us"),
  }));
  const alone = { "sessions × followers": shapeName, server: "(the load alone)", "CPU µs / delivery": load };
  return [...servers, alone];
}

function nameOf({ sessions, followers, perSecond }) {
  return `${sessions} × ${followers}, ${perSecond} a second`;
}
