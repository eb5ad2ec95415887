import { AsyncLocalStorage } from "node:async_hooks";
import { EventEmitter } from "node:events";
import { importFrom, withSession } from "../lib/builds.mjs";
import { REPORT } from "../lib/workload.mjs";

const WITH_SMALL_DATA = { ...REPORT, data: { file: "a.ts", line: 12 } };
const WITH_2_KB_OF_DATA = { ...REPORT, data: { file: "a.ts", lines: Array(40).fill("x".repeat(47)) } };
const REPORTS_PER_SESSION = 500;

/** As in an application: one bus at its default limits, where a session gets so many reports and ends. */
async function inSessions(dist, report, prepare) {
  const { createEventBus, reportProgress } = await importFrom(dist, "session-progress");
  const bus = createEventBus();
  let sessions = 0;
  return {
    run(count) {
      for (let left = count; left > 0; left -= REPORTS_PER_SESSION) {
        const session = `s${++sessions}`;
        prepare?.(bus, session);
        withSession(bus, session, () => {
          for (let n = Math.min(left, REPORTS_PER_SESSION); n > 0; n--) {
            if (!reportProgress(report)) throw new Error("a report was not taken");
          }
        });
        bus.end(session);
      }
    },
  };
}

/** Sessions whose log is full before it is measured, reported to in turn. */
async function atFullLogs(dist, sessions, maxEvents) {
  const { createEventBus, reportProgress } = await importFrom(dist, "session-progress");
  const bus = createEventBus({ history: { maxEvents } });
  const reporters = Array.from({ length: sessions }, (_, n) => bus.reporter(`s${n}`));
  const run = (count) => {
    for (let left = count; left > 0; left -= sessions) {
      for (const reporter of reporters.slice(0, left)) {
        reporter.run(() => {
          if (!reportProgress(REPORT)) throw new Error("a report was not taken");
        });
      }
    }
  };
  run(sessions * maxEvents);
  return { run };
}

async function outside(dist, prepare) {
  const { createEventBus, reportProgress } = await importFrom(dist, "session-progress");
  prepare?.(createEventBus(), reportProgress);
  return {
    run(count) {
      for (let n = 0; n < count; n++) if (reportProgress(REPORT)) throw new Error("there is no session");
    },
  };
}

/** What is measured of this library, or of another build of it in `dist`. */
const ours = {
  "outside a session": (dist) => outside(dist),
  "outside, sessions elsewhere": (dist) =>
    outside(dist, (bus, reportProgress) => withSession(bus, "elsewhere", () => reportProgress(REPORT))),
  "in a session": (dist) => inSessions(dist, REPORT),
  "in a session, small `data`": (dist) => inSessions(dist, WITH_SMALL_DATA),
  "in a session, `data` of 2 KB": (dist) => inSessions(dist, WITH_2_KB_OF_DATA),
  "in a session, one listener": (dist) =>
    inSessions(dist, REPORT, (bus, session) => bus.subscribe(session, () => {})),
  "one session, log full": (dist) => atFullLogs(dist, 1, 1_000),
  "1,000 sessions, logs full": (dist) => atFullLogs(dist, 1_000, 200),
};

/** What is measured beside it. */
const others = {
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

export const cases = {
  ...Object.fromEntries(Object.entries(ours).map(([name, make]) => [name, ({ dist } = {}) => make(dist)])),
  ...others,
};
