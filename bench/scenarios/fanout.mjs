import { baselineNote } from "../lib/builds.mjs";
import { fanout } from "../lib/fanout.mjs";
import { BARE, BASELINE, NCHAN, nchanNote, OURS, PLAIN, present } from "../lib/peers.mjs";
import { fanoutRows } from "../lib/rows.mjs";
import { ratio } from "../lib/stats.mjs";

const peers = present([
  BARE,
  OURS,
  BASELINE,
  "ours, Express",
  PLAIN,
  "by hand in Express",
  "better-sse",
  "@fastify/sse",
  "hono streamSSE",
  NCHAN,
]);

/** One session that many follow. */
export const one = scenario({
  shape: { sessions: 1, followers: 300, events: 10, turns: 40 },
  quickShape: { sessions: 1, followers: 10, events: 10, turns: 3, warmUp: 1 },
  targets: (cpu) => [
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
});

/** Many sessions with one follower each. */
export const many = scenario({
  shape: { sessions: 300, followers: 1, events: 1, turns: 80 },
  quickShape: { sessions: 10, followers: 1, events: 1, turns: 3, warmUp: 1 },
  targets: (cpu) => [
    { what: "CPU against bare TCP", limit: 1.8, stretch: 1.45, unit: "×", measured: cpu(OURS, BARE) },
    { what: "CPU against plain `res.write`", limit: 1, unit: "×", measured: cpu(OURS, PLAIN) },
    { what: "CPU against better-sse", limit: 1, unit: "×", measured: cpu(OURS, "better-sse") },
  ],
});

function scenario({ shape, quickShape, targets }) {
  async function run({ quick, rounds = quick ? 1 : 12, progress }) {
    const settings = { peers, rounds, ...(quick ? quickShape : shape) };
    const samples = await fanout({ ...settings, onRound: (done) => progress(`round ${done} of ${rounds}`) });
    const { sessions, followers, events } = settings;
    return {
      title: `${plural(sessions, "session")} × ${plural(followers, "follower")}, ${plural(events, "event")} a turn`,
      note: [baselineNote(), nchanNote()],
      rounds,
      rows: fanoutRows(samples),
      targets: targets((a, b) => ratio(samples[a], samples[b], "cpuUsPerDelivery")),
      settings,
      samples,
    };
  }
  return { run, shape, quickShape, profiled: OURS };
}

function plural(count, noun) {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
