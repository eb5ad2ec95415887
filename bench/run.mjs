import { prepare } from "./lib/prepare.mjs";

const USAGE = `npm run bench [-- scenario…] [-- --quick] [-- --rounds N]
npm run bench -- profile <fanout-one|fanout-many|steady|hono> [server]`;

/** In the order of the page of results. */
const scenarios = {
  "fanout-one": async () => (await import("./scenarios/fanout.mjs")).one,
  "fanout-many": async () => (await import("./scenarios/fanout.mjs")).many,
  steady: () => import("./scenarios/steady.mjs"),
  hono: () => import("./scenarios/hono.mjs"),
  "one-report": () => import("./scenarios/one-report.mjs"),
  memory: () => import("./scenarios/memory.mjs"),
  growth: () => import("./scenarios/growth.mjs"),
  "growth-ops": () => import("./scenarios/growth-ops.mjs"),
  "reconnect-storm": () => import("./scenarios/reconnect-storm.mjs"),
  "keep-alive": () => import("./scenarios/keep-alive.mjs"),
  "five-approaches": () => import("./scenarios/five-approaches.mjs"),
};
const names = Object.keys(scenarios);

const { wanted, quick, rounds, profiled, server } = options(process.argv.slice(2));
prepare();
const { markdown, save } = await import("./lib/results.mjs");

if (profiled !== undefined) {
  const { profile } = await import("./lib/profile.mjs");
  await profile(profiled, await scenarios[profiled](), server);
} else {
  if (quick) console.log("Quick: shows that everything works; the figures mean nothing.\n");
  for (const name of wanted) {
    const startedAt = Date.now();
    const progress = (text) => process.stderr.isTTY && process.stderr.write(`\r\x1b[K${name}: ${text}\r`);
    const result = await (await scenarios[name]()).run({ quick, rounds, progress });
    console.log(markdown(result, { quick }));
    if (!quick) save(name, { order: names.indexOf(name), ...result });
    console.error(`${name}: ${((Date.now() - startedAt) / 1000).toFixed(1)} s`);
  }
}

function options(args) {
  const found = { wanted: [], quick: false, rounds: undefined, profiled: undefined, server: undefined };
  while (args.length > 0) {
    const arg = args.shift();
    if (arg === "--quick") found.quick = true;
    else if (arg === "--rounds") found.rounds = Number(args.shift());
    else if (arg === "profile") [found.profiled, found.server] = args.splice(0);
    else if (names.includes(arg)) found.wanted.push(arg);
    else if (arg !== "--") fail();
  }
  const wrongRounds = found.rounds !== undefined && !(Number.isInteger(found.rounds) && found.rounds > 0);
  if (wrongRounds || (found.profiled !== undefined && !names.includes(found.profiled))) fail();
  if (found.wanted.length === 0) found.wanted = names;
  return found;
}

function fail() {
  console.error(`${USAGE}\nscenarios: ${names.join(", ")}`);
  process.exit(2);
}
