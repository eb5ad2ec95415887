import { AsyncLocalStorage } from "node:async_hooks";
import { EventEmitter } from "node:events";
import { createEventBus, reportProgress } from "session-progress";
import { REPORT } from "../lib/workload.mjs";

const withData = { ...REPORT, data: { file: "src/billing/architecture.ts", line: 120, score: 0.82 } };
const REPORTS_PER_SESSION = 500;

/** As in an application: one bus at its default limits, where a session gets so many reports and ends. */
function inSessions(one, prepare) {
  const bus = createEventBus();
  let sessions = 0;
  return {
    run(count) {
      for (let left = count; left > 0; left -= REPORTS_PER_SESSION) {
        const session = `s${++sessions}`;
        prepare?.(bus, session);
        bus.run(session, () => {
          for (let n = Math.min(left, REPORTS_PER_SESSION); n > 0; n--) {
            if (!reportProgress(one)) throw new Error("a report was not taken");
          }
        });
        bus.end(session);
      }
    },
  };
}

function outside() {
  return {
    run(count) {
      for (let n = 0; n < count; n++) if (reportProgress(REPORT)) throw new Error("there is no session");
    },
  };
}

export const cases = {
  "ours: outside a session": outside,
  "ours: outside, sessions elsewhere": () => {
    createEventBus().run("elsewhere", () => reportProgress(REPORT));
    return outside();
  },
  "ours: in a session": () => inSessions(REPORT),
  "ours: in a session, with data": () => inSessions(withData),
  "ours: in a session, one listener": () =>
    inSessions(REPORT, (bus, session) => bus.subscribe(session, () => {})),
  "ours: in a session, history full": () => {
    const reporter = createEventBus().reporter("session");
    return {
      run: (count) =>
        reporter.run(() => {
          for (let n = 0; n < count; n++) reportProgress(REPORT);
        }),
    };
  },
  "AsyncLocalStorage.getStore()": () => {
    const context = new AsyncLocalStorage();
    return {
      run: (count) =>
        context.run({}, () => {
          for (let n = 0; n < count; n++) if (context.getStore() === undefined) throw new Error("no store");
        }),
    };
  },
  "EventEmitter.emit": () => {
    const emitter = new EventEmitter();
    let seen = 0;
    emitter.on("progress", () => seen++);
    return {
      run(count) {
        for (let n = 0; n < count; n++) emitter.emit("progress", { ...REPORT });
      },
    };
  },
  "LangChain dispatchCustomEvent, awaited": async () => {
    const { dispatchCustomEvent } = await import("@langchain/core/callbacks/dispatch");
    const { RunnableLambda } = await import("@langchain/core/runnables");
    let seen = 0;
    const callbacks = [{ handleCustomEvent: () => void seen++ }];
    return {
      async run(count) {
        seen = 0;
        const agent = RunnableLambda.from(async () => {
          for (let n = 0; n < count; n++) await dispatchCustomEvent("progress", REPORT);
        });
        await agent.invoke("", { callbacks });
        if (seen !== count) throw new Error(`expected ${count} events, got ${seen}`);
      },
    };
  },
};
