import { setTimeout } from "node:timers/promises";
import { serve } from "./rpc.mjs";

/** The case that is measured now. */
let subject;

const actions = {
  async start({ module, name, options }) {
    const { cases } = await import(module);
    await subject?.close?.();
    subject = await cases[name](options);
  },
  /**
   * CPU time of `count` calls, each of which counts as `unit` operations. What a batch of them has changed is put
   * back in between, unmeasured.
   */
  async measure({ count }) {
    const { batch = count, unit = 1, restore, least = 1, most = 50_000 } = subject;
    let cpuUs = 0;
    for (let left = count; left > 0; left -= batch) {
      const before = process.cpuUsage();
      await subject.run(Math.min(batch, left));
      const { user, system } = process.cpuUsage(before);
      cpuUs += user + system;
      await restore?.();
    }
    return {
      nsPerOperation: (cpuUs * 1000) / (count * unit),
      nsPerCall: (cpuUs * 1000) / count,
      least,
      most,
    };
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
