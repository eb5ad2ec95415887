import { fanout } from "../lib/fanout.mjs";
import { BARE } from "../lib/peers.mjs";
import { fanoutRows } from "../lib/rows.mjs";
import { ratio } from "../lib/stats.mjs";
import { many, one } from "./fanout.mjs";

export const profiled = "ours, Hono";
const peers = [BARE, profiled, "hono streamSSE"];
export const { shape } = one;

export async function run({ quick, rounds = quick ? 1 : 12, progress }) {
  const shapes = [one, many].map((own) => (quick ? own.quickShape : own.shape));
  const samples = [];
  for (const each of shapes) {
    const onRound = (done) => progress(`round ${done} of ${rounds}`);
    samples.push(await fanout({ peers, rounds, ...each, onRound }));
  }
  const less = (own) => ratio(own["hono streamSSE"], own[profiled], "cpuUsPerDelivery");
  const shapeOf = ({ sessions, followers, events }) => `${sessions} × ${followers}, ${events} a turn`;
  return {
    title: "The same over Hono",
    rounds,
    rows: samples.flatMap((own, n) =>
      fanoutRows(own).map((row) => ({ "sessions × followers": shapeOf(shapes[n]), ...row })),
    ),
    targets: [4, 2].map((limit, n) => ({
      what: `less CPU than \`streamSSE\`, ${shapeOf(shapes[n])}`,
      atLeast: true,
      limit,
      unit: "×",
      measured: less(samples[n]),
    })),
    settings: { peers, shapes },
    samples,
  };
}
