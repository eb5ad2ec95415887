import { setTimeout } from "node:timers/promises";
import { serve } from "./rpc.mjs";

// One case in a process of its own: what one does to the engine and to async contexts must not reach another.
let subject;

const actions = {
  async start({ module, name, options }) {
    const { cases } = await import(module);
    subject = await cases[name](options);
  },
  /** CPU time of `count` operations. */
  async measure({ count }) {
    const before = process.cpuUsage();
    await subject.run(count);
    const { user, system } = process.cpuUsage(before);
    return { nsPerOperation: ((user + system) * 1000) / count };
  },
  /** What `count` whole sessions leave behind, and what of it is still there after `close`. */
  async leftovers({ count }) {
    await subject.session();
    const before = await remains();
    for (let n = 0; n < count; n++) await subject.session();
    const after = await remains();
    await subject.close();
    const closed = await remains();
    const perSession = ({ bytes }) => (bytes - before.bytes) / count;
    return {
      bytesPerSession: perSession(after),
      bytesPerSessionClosed: perSession(closed),
      timers: closed.timers,
      listeners: subject.listeners(),
    };
  },
};

async function remains() {
  for (let n = 0; n < 3; n++) {
    await setTimeout(20);
    globalThis.gc();
  }
  const { heapUsed, external } = process.memoryUsage();
  const timers = process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length;
  return { bytes: heapUsed + external, timers };
}

serve(actions);
