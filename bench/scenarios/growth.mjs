import { fanouts } from "../lib/fanout.mjs";
import { affordable, fewerNote } from "../lib/limits.mjs";
import { BARE, OURS } from "../lib/peers.mjs";
import { ratio, typical } from "../lib/stats.mjs";

const WANTED = 10_000;
const peers = [BARE, OURS];
const DELIVERIES = 20_000;

/** What grows, and the shapes it grows through. */
function axes(quick) {
  const most = quick ? 20 : affordable(WANTED);
  const active = quick ? 10 : 100;
  return {
    "idle sessions": (quick ? [1, 100] : [1, 1_000, 10_000, 100_000]).map((size) => ({
      size,
      sessions: 1,
      followers: active,
      idleSessions: size,
    })),
    "active sessions": (quick ? [1, most] : [1, 100, 1_000, most]).map((size) => ({
      size,
      sessions: size,
      followers: 1,
    })),
    followers: (quick ? [1, most] : [1, 10, 100, 1_000, most]).map((size) => ({
      size,
      sessions: 1,
      followers: size,
    })),
    history: (quick ? [10, 100] : [10, 1_000, 100_000]).map((size) => ({
      size,
      sessions: 1,
      followers: active,
      history: size,
      options: { bus: { history: { maxEvents: size, maxBytes: 1 << 26 } } },
    })),
  };
}

export async function run({ quick, rounds = quick ? 1 : 9, progress }) {
  const rows = [];
  const samples = {};
  const targets = [];
  const shapes = axes(quick);
  const work = ({ sessions, followers }) => ({
    events: 1,
    turns: quick ? 3 : Math.ceil(DELIVERIES / (sessions * followers)),
    warmUp: quick ? 1 : 5,
  });
  for (const [axis, points] of Object.entries(shapes)) {
    const onRound = (done) => progress(`${axis}, round ${done} of ${rounds}`);
    const settings = points.map((shape) => ({ ...shape, ...work(shape) }));
    const measured = await fanouts(settings, { peers, rounds, onRound });
    const ratios = measured.map((own) => ratio(own[OURS], own[BARE], "cpuUsPerDelivery"));
    for (const [n, { size }] of points.entries()) {
      const own = measured[n];
      samples[`${axis} ${size}`] = own;
      rows.push({
        "what grows": axis,
        to: size,
        "ours, CPU µs / delivery": typical(own[OURS], "cpuUsPerDelivery"),
        "bare TCP": typical(own[BARE], "cpuUsPerDelivery"),
        ratio: ratios[n],
      });
    }
    const what = `${axis} ${points[0].size} → ${points.at(-1).size}`;
    const flat = Math.max(...ratios) / Math.min(...ratios);
    targets.push({
      what: `${what}, flat: largest ratio against smallest`,
      limit: 1.3,
      unit: "×",
      measured: flat,
    });
    // Beside it, not instead: what only gets cheaper as it grows is not flat either.
    targets.push({ what: `${what}, rise alone`, limit: 1.3, unit: "×", measured: rise(ratios) });
  }
  return {
    title: "Growth: cost per delivery, against bare TCP of the same shape",
    note: quick ? undefined : fewerNote(WANTED, shapes.followers.at(-1).size),
    rounds,
    rows,
    targets,
    settings: shapes,
    samples,
  };
}

/** The most that a later ratio is of an earlier one. */
function rise(ratios) {
  return Math.max(...ratios.map((later, at) => later / Math.min(...ratios.slice(0, at + 1))));
}
