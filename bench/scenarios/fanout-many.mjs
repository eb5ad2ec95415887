import { fanout } from "../lib/fanout.mjs";
import { fanoutRows } from "../lib/rows.mjs";
import { BARE, OURS } from "../lib/peers.mjs";
import { ratio } from "../lib/stats.mjs";

const peers = [
  BARE,
  OURS,
  "ours, Express",
  "plain Node http",
  "by hand in Express",
  "better-sse",
  "@fastify/sse",
  "hono streamSSE",
];
export const profiled = OURS;
export const shape = { sessions: 300, followers: 1, events: 1, turns: 80 };
export const quickShape = { sessions: 10, followers: 1, events: 1, turns: 3, warmUp: 1 };

export async function run({ quick, rounds = quick ? 1 : 12, progress }) {
  const settings = { peers, rounds, ...(quick ? quickShape : shape) };
  const samples = await fanout({ ...settings, onRound: (done) => progress(`round ${done} of ${rounds}`) });
  const cpu = (a, b) => ratio(samples[a], samples[b], "cpuUsPerDelivery");
  return {
    title: `${settings.sessions} sessions × ${settings.followers} follower, ${settings.events} event a turn`,
    rounds,
    rows: fanoutRows(samples),
    targets: [
      { what: "CPU against bare TCP", limit: 1.8, stretch: 1.45, unit: "×", measured: cpu(OURS, BARE) },
      { what: "CPU against plain `res.write`", limit: 1, unit: "×", measured: cpu(OURS, "plain Node http") },
      { what: "CPU against better-sse", limit: 1, unit: "×", measured: cpu(OURS, "better-sse") },
    ],
    settings,
    samples,
  };
}
