import { baselineDist, baselineNote } from "../lib/builds.mjs";
import { micro } from "../lib/micro.mjs";
import { ratio, typical } from "../lib/stats.mjs";

/** How often a round calls it. */
const ours = {
  "outside a session": 2_000_000,
  "outside, sessions elsewhere": 2_000_000,
  "in a session": 100_000,
  "in a session, small `data`": 30_000,
  "in a session, `data` of 2 KB": 10_000,
  "in a session, one listener": 100_000,
  "one session, log full": 100_000,
  "1,000 sessions, logs full": 100_000,
};
const others = {
  "AsyncLocalStorage.getStore()": 2_000_000,
  "EventEmitter.emit": 1_000_000,
  "LangChain dispatchCustomEvent, awaited": 3_000,
};

function measured(quick) {
  const count = (usual) => (quick ? 100 : usual);
  const all = Object.entries(others).map(([name, usual]) => [name, { count: count(usual) }]);
  const own = Object.entries(ours).flatMap(([name, usual]) => [
    [`ours: ${name}`, { name, count: count(usual) }],
    ...(baselineDist === undefined
      ? []
      : [[`baseline: ${name}`, { name, count: count(usual), options: { dist: baselineDist } }]]),
  ]);
  return Object.fromEntries([...own, ...all]);
}

export async function run({ quick, rounds = quick ? 1 : 15, progress }) {
  const settings = { rounds, measured: measured(quick), warmUp: quick ? 0 : 2 };
  const module = new URL("./one-report-cases.mjs", import.meta.url).href;
  const onRound = (done) => progress(`round ${done} of ${rounds}`);
  const samples = await micro({ module, ...settings, onRound });
  const ns = (name) => typical(samples[name], "nsPerOperation");
  const columns = (label) => {
    const baseline = samples[label.replace("ours:", "baseline:")];
    if (baselineDist === undefined || baseline === samples[label]) return {};
    return { "× baseline": ratio(samples[label], baseline, "nsPerOperation") };
  };
  return {
    title: "One report, nobody follows",
    note: baselineNote(),
    rounds,
    rows: Object.keys(samples).map((label) => ({
      call: label,
      "CPU ns / report": ns(label),
      ...columns(label),
    })),
    targets: [
      { what: "in a session, no `data`", limit: 1000, unit: " ns", measured: ns("ours: in a session") },
      { what: "outside a session", limit: 30, unit: " ns", measured: ns("ours: outside a session") },
      {
        what: "outside, other sessions running",
        limit: 30,
        unit: " ns",
        measured: ns("ours: outside, sessions elsewhere"),
      },
    ],
    settings,
    samples,
  };
}
