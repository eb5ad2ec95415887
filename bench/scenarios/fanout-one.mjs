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
export const shape = { sessions: 1, followers: 300, events: 10, turns: 40 };
export const quickShape = { sessions: 1, followers: 10, events: 10, turns: 3, warmUp: 1 };

export async function run({ quick, rounds = quick ? 1 : 12, progress }) {
  const settings = { peers, rounds, ...(quick ? quickShape : shape) };
  const samples = await fanout({ ...settings, onRound: (done) => progress(`round ${done} of ${rounds}`) });
  const cpu = (a, b) => ratio(samples[a], samples[b], "cpuUsPerDelivery");
  return {
    title: `${settings.sessions} session × ${settings.followers} followers, ${settings.events} events a turn`,
    rounds,
    rows: fanoutRows(samples),
    targets: [
      { what: "CPU against bare TCP", limit: 2.2, stretch: 1.5, unit: "×", measured: cpu(OURS, BARE) },
      {
        what: "less CPU than better-sse",
        atLeast: true,
        limit: 4,
        stretch: 6,
        unit: "×",
        measured: cpu("better-sse", OURS),
      },
    ],
    settings,
    samples,
  };
}
