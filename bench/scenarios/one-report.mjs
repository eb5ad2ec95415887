import { micro } from "../lib/micro.mjs";
import { typical } from "../lib/stats.mjs";

const counts = {
  "ours: outside a session": 2_000_000,
  "ours: outside, sessions elsewhere": 2_000_000,
  "ours: in a session": 100_000,
  "ours: in a session, with data": 30_000,
  "ours: in a session, one listener": 100_000,
  "ours: in a session, history full": 100_000,
  "AsyncLocalStorage.getStore()": 2_000_000,
  "EventEmitter.emit": 1_000_000,
  "LangChain dispatchCustomEvent, awaited": 3_000,
};

export async function run({ quick, rounds = quick ? 1 : 15, progress }) {
  const own = Object.entries(counts).map(([name, count]) => [name, quick ? 100 : count]);
  const settings = { rounds, counts: Object.fromEntries(own), warmUp: quick ? 0 : 2 };
  const module = new URL("./one-report-cases.mjs", import.meta.url).href;
  const onRound = (done) => progress(`round ${done} of ${rounds}`);
  const samples = await micro({ module, ...settings, onRound });
  const ns = (name) => typical(samples[name], "nsPerOperation");
  return {
    title: "One report, nobody follows",
    rounds,
    rows: Object.keys(counts).map((name) => ({ call: name, "CPU ns / report": ns(name) })),
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
