import { fork } from "node:child_process";
import { once } from "node:events";
import { clearTimeout, setTimeout } from "node:timers";
import { fileURLToPath } from "node:url";

/** In a child process: answers the parent's calls with `actions`. */
export function serve(actions) {
  process.on("message", async ({ call, action, args }) => {
    try {
      process.send({ call, result: await actions[action](args) });
    } catch (error) {
      process.send({ call, error: error.stack ?? String(error) });
    }
  });
  process.on("disconnect", () => process.exit());
}

/** In the parent: a child process as an object with `call(action, args)` and `stop()`. */
export function spawn(script, { execArgv = [] } = {}) {
  const child = fork(fileURLToPath(new URL(script, import.meta.url)), {
    execArgv,
    env: { ...process.env, NODE_ENV: "production" },
  });
  const waiting = new Map();
  let calls = 0;
  child.on("message", ({ call, result, error }) => {
    const { resolve, reject, timer } = waiting.get(call);
    waiting.delete(call);
    clearTimeout(timer);
    if (error === undefined) resolve(result);
    else reject(new Error(error));
  });
  child.on("exit", (code) => {
    for (const { reject, timer } of waiting.values()) {
      clearTimeout(timer);
      reject(new Error(`${script} exited with ${code}`));
    }
  });
  return {
    call: (action, args = {}, timeoutMs = 120_000) =>
      new Promise((resolve, reject) => {
        const call = ++calls;
        const timer = setTimeout(() => {
          waiting.delete(call);
          reject(new Error(`${script}: no answer to ${action} within ${timeoutMs} ms`));
        }, timeoutMs);
        waiting.set(call, { resolve, reject, timer });
        child.send({ call, action, args });
      }),
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.disconnect();
      await once(child, "exit");
    },
  };
}
