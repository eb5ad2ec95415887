import { Session } from "node:inspector/promises";
import { createServer } from "node:net";
import { performance } from "node:perf_hooks";
import { setImmediate, setTimeout } from "node:timers/promises";
import { listen } from "./http.mjs";
import { serve } from "./rpc.mjs";
import { reportSteadily } from "./steady-load.mjs";
import { stampedMessage } from "./workload.mjs";

// A follower's process says here, with one byte, that everything of a turn has arrived.
const confirmations = createServer({ noDelay: true });
let confirmed = () => {};
confirmations.on("connection", (socket) => {
  socket.on("error", () => {});
  socket.on("data", () => confirmed());
});

let peer;
let inspector;
let marked;

/** One turn after the other: the next begins when every follower has everything of the last. */
function runTurns({ sessions, events, turns }) {
  return new Promise((resolve) => {
    let left = turns;
    let stackMs = 0;
    confirmed = () => {
      if (left-- === 0) {
        confirmed = () => {};
        resolve(stackMs);
        return;
      }
      const before = performance.now();
      peer.turn(sessions, events);
      stackMs += performance.now() - before;
    };
    confirmed();
  });
}

/** What was used since `mark`. Where another process serves, this one is only the publisher. */
function spent() {
  const wallMs = performance.now() - marked.at;
  const { user, system } = process.cpuUsage(marked.cpu);
  const own = { cpuUs: user + system, peakRssBytes: process.resourceUsage().maxRSS * 1024 };
  if (marked.server === undefined) return { ...own, wallMs };
  const { cpuUs, peakRssBytes } = peer.serverUsage();
  return { cpuUs: cpuUs - marked.server.cpuUs, peakRssBytes, publisherUs: own.cpuUs, wallMs };
}

const actions = {
  async start({ module, options }) {
    peer = await (await import(module)).start(options);
    return { port: peer.port, confirmPort: await listen(confirmations), greeting: peer.greeting("SESSION") };
  },
  async untilFollowers({ count }) {
    while ((await peer.followers()) !== count) await setTimeout(5);
  },
  mark() {
    marked = { server: peer.serverUsage?.(), cpu: process.cpuUsage(), at: performance.now() };
  },
  spent,
  async block(work) {
    actions.mark();
    const stackMs = await runTurns(work);
    return {
      ...spent(),
      stackUsPerReport: (stackMs * 1000) / (work.turns * work.sessions.length * work.events),
    };
  },
  /** Reports spread over time, up to the last one's arrival if it is `awaited`. */
  async steady({ awaited = true, ...load }) {
    const arrived = awaited && new Promise((resolve) => (confirmed = resolve));
    actions.mark();
    await reportSteadily(load, (session) => peer.turn([session], 1, stampedMessage()));
    await arrived;
    return spent();
  },
  /** Reports that nobody waits for, `events` to each session, at most 100 a turn. */
  async fill({ sessions, events }) {
    for (let left = events; left > 0; left -= 100) {
      for (let at = 0; at < sessions; at += 100) {
        const names = Array.from({ length: Math.min(100, sessions - at) }, (_, n) => `s${at + n}`);
        peer.turn(names, Math.min(100, left));
        await setImmediate();
      }
    }
  },
  idAt: ({ session, position }) => peer.idAt(session, position),
  async memory() {
    for (let n = 0; n < 4; n++) {
      globalThis.gc();
      await setTimeout(50);
    }
    const { heapUsed, external, rss } = process.memoryUsage();
    return { heapUsed, external, rss };
  },
  problems: () => peer.problems(),
  async profile({ on }) {
    if (on) {
      inspector = new Session();
      inspector.connect();
      await inspector.post("Profiler.enable");
      await inspector.post("Profiler.setSamplingInterval", { interval: 200 });
      await inspector.post("Profiler.start");
      return undefined;
    }
    const { profile } = await inspector.post("Profiler.stop");
    inspector.disconnect();
    return profile;
  },
};

serve(actions);
