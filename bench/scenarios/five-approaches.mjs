import { micro } from "../lib/micro.mjs";
import { typical } from "../lib/stats.mjs";

const names = [
  "1 pure context",
  "2 pure callbacks",
  "3 pure event bus",
  "4 context + bus, WebSocket",
  "5 context + bus, SSE",
];

export async function run({ quick, rounds = quick ? 1 : 10, progress }) {
  const count = quick ? 200 : 50_000;
  const sessions = quick ? 50 : 10_000;
  const left = {};
  const samples = await micro({
    module: new URL("./five-approaches-cases.mjs", import.meta.url).href,
    measured: Object.fromEntries(names.map((name) => [name, { count }])),
    rounds,
    warmUp: quick ? 0 : 2,
    onRound: (done) => progress(`round ${done} of ${rounds}`),
    async also(name, child) {
      progress(`${name}: ${sessions} sessions`);
      left[name] = await child.call("leftovers", { count: sessions });
    },
  });
  return {
    title: "The five approaches: report → received in the same process",
    note: `What is left was measured after ${sessions} sessions of 10 reports that ended: kept for those who come late or back, and after \`bus.close()\`.`,
    rounds,
    rows: names.map((name) => ({
      approach: name,
      "CPU ns / event": typical(samples[name], "nsPerOperation"),
      "bytes kept / session": left[name].bytesPerSession,
      "after close": left[name].bytesPerSessionClosed,
      timers: left[name].timers,
      followers: left[name].listeners,
    })),
    targets: [],
    settings: { count, sessions },
    samples,
    left,
  };
}
