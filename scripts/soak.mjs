// Many connections that misbehave beside a hundred that do not: `npm run soak`, or `-- --quick` for a few seconds.
// None of the hundred may miss anything, memory stays bounded, and nothing is left behind.
import { fork } from "node:child_process";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    seconds: { type: "string" },
    connections: { type: "string" },
  },
});
const seconds = Number(values.seconds ?? (values.quick ? 5 : 60));
const connections = Number(values.connections ?? (values.quick ? 200 : 1_000));
const HEALTHY = 100;
/** What the process may take at most above what it takes without them. */
const MAX_GROWTH_MIB = 256;
const MiB = 2 ** 20;

const start = (name, args = [], execArgv = []) =>
  fork(fileURLToPath(new URL(`soak/${name}.mjs`, import.meta.url)), args.map(String), { execArgv });
const ask = async (child, message = {}) => {
  child.send(message);
  const [answer] = await once(child, "message");
  return answer;
};

const server = start("server", [], ["--expose-gc"]);
const [{ port }] = await once(server, "message");
const healthy = start("healthy", [port, HEALTHY]);
await delay(2_000);
await ask(healthy);
await delay(Math.min(10, seconds) * 1_000);
const alone = await ask(healthy);
const before = await ask(server);

const hostile = start("hostile", [port, connections]);
await delay(seconds * 1_000);
const beside = await ask(healthy);
const during = await ask(server);
const done = await ask(hostile);

// Those that stalled are gone with their process; a follower leaves with its connection.
const faults = [];
let after = await ask(server);
for (let tries = 0; tries < 100 && after.stats.followers > HEALTHY; tries++) {
  await delay(100);
  after = await ask(server);
}
await ask(server, { ask: "end" });
let last = await ask(healthy);
for (let tries = 0; tries < 100 && last.ended < HEALTHY; tries++) {
  await delay(100);
  last = await ask(healthy);
}
healthy.kill();
const closed = await ask(server, { ask: "close" });
await Promise.race([once(server, "exit"), delay(10_000)]);

const row = (name, { p50, p99, max, received }) =>
  console.log(`${name.padEnd(24)} p50 ${p50} ms, p99 ${p99} ms, max ${max} ms, ${received} events`);
row(`${HEALTHY} alone`, alone);
row(`beside ${connections} hostile`, beside);
console.log(`hostile connections      ${JSON.stringify(done)}`);
const mib = (bytes) => Math.round(bytes / MiB);
console.log(
  `memory                   rss ${mib(before.peak.rss)} → at most ${mib(during.peak.rss)} MiB, heap ${mib(before.heap)} → ${mib(after.heap)} MiB`,
);

if (last.faults.length > 0)
  faults.push(`healthy followers missed something: ${last.faults.slice(0, 5).join("; ")}`);
if (last.ended !== HEALTHY) faults.push(`${last.ended} of ${HEALTHY} healthy followers saw the end`);
if (mib(during.peak.rss - before.peak.rss) > MAX_GROWTH_MIB) faults.push("memory grew without bound");
if (after.stats.followers !== HEALTHY)
  faults.push(`${after.stats.followers} followers instead of ${HEALTHY}`);
if (closed.stats.followers !== 0 || closed.stats.sessions !== 0)
  faults.push(`left: ${JSON.stringify(closed)}`);
if (server.exitCode !== 0) faults.push(`the server's process did not end by itself: ${server.exitCode}`);
for (const child of [server, healthy, hostile]) if (child.exitCode === null) child.kill();
for (const fault of faults) console.error(`soak: ${fault}`);
console.log(faults.length === 0 ? "soak: nothing missed, nothing left" : `soak: ${faults.length} faults`);
process.exitCode = faults.length === 0 ? 0 : 1;
