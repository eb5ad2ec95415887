import type { AsyncLocalStorage } from "node:async_hooks";
import { EventEmitter, once } from "node:events";
import { setImmediate as immediate, setTimeout as delay } from "node:timers/promises";
import { beforeAll, describe, expect, test } from "vitest";
import {
  bindReporter,
  createEventBus,
  createReporter,
  currentReporter,
  type ProgressReport,
  reportProgress,
  withAgent,
} from "session-progress";
import { collect, createRecorder, recordSession } from "session-progress/testing";
import { deferred } from "../../support/deferred.ts";
import { asAgentEvent, describeEvent } from "../../support/events.ts";
import { recordEntries } from "../../support/session-entries.ts";

const SLOT = Symbol.for("session-progress/context/v1");

interface Store {
  readonly reporter: { report(report: ProgressReport): boolean };
}

function slot(): AsyncLocalStorage<Store | undefined> | undefined {
  return (globalThis as { [SLOT]?: AsyncLocalStorage<Store | undefined> })[SLOT];
}

test("there is no AsyncLocalStorage before the first run", () => {
  expect(slot()).toBeUndefined();
  reportProgress({});
  currentReporter();
  withAgent("a", () => undefined);
  expect(slot()).toBeUndefined();
  createReporter().run(() => undefined);
  expect(slot()).toBeDefined();
});

describe("outside a session", () => {
  test("a report does nothing and answers false", () => {
    expect(reportProgress({ message: "nobody" })).toBe(false);
    expect(reportProgress({ progress: NaN })).toBe(false);
  });

  test("there is no current reporter", () => {
    expect(currentReporter()).toBeUndefined();
  });

  test("withAgent just calls its function", () => {
    expect(withAgent("a", () => reportProgress({}))).toBe(false);
    expect(withAgent("a", () => currentReporter())).toBeUndefined();
  });

  test("bindReporter binds to no session, whoever calls", () => {
    const bound = bindReporter(() => reportProgress({ message: "stray" }));
    const recorder = createRecorder();
    expect(createReporter(recorder).run(bound)).toBe(false);
    expect(recorder.messages).toEqual([]);
  });

  test("everything is over again when run returns or throws", () => {
    const reporter = createReporter(() => undefined);
    expect(reporter.run(() => reportProgress({}))).toBe(true);
    expect(() =>
      reporter.run(() => {
        throw new Error("boom");
      }),
    ).toThrow("boom");
    expect(currentReporter()).toBeUndefined();
  });
});

describe("the context of a session", () => {
  async function messages(fn: () => unknown): Promise<readonly string[]> {
    return (await recordSession(fn)).messages;
  }
  const sayer = (message: string) => () => void reportProgress({ message });

  test("returns what the function returns", async () => {
    const reporter = createReporter();
    expect(reporter.run(() => 1)).toBe(1);
    await expect(reporter.run(async () => 2)).resolves.toBe(2);
  });

  test("survives awaits and promise chains", async () => {
    const said = await messages(async () => {
      await Promise.resolve();
      reportProgress({ message: "await" });
      await delay(1);
      reportProgress({ message: "delay" });
      await Promise.resolve().then(sayer("then"));
      await Promise.reject(new Error()).catch(sayer("catch"));
      await Promise.resolve().finally(sayer("finally"));
    });
    expect(said).toEqual(["await", "delay", "then", "catch", "finally"]);
  });

  test("survives timers, immediates, ticks and microtasks", async () => {
    const said = await messages(async () => {
      const { promise, resolve } = deferred();
      process.nextTick(sayer("tick"));
      queueMicrotask(sayer("microtask"));
      setImmediate(() => {
        reportProgress({ message: "immediate" });
        setTimeout(() => {
          reportProgress({ message: "timeout" });
          resolve();
        }, 1);
      });
      await promise;
    });
    expect(said.toSorted()).toEqual(["immediate", "microtask", "tick", "timeout"]);
  });

  test("survives thenables that call back from elsewhere", async () => {
    const callbacks: (() => void)[] = [];
    const thenable = { then: (resolve: () => void) => void callbacks.push(resolve) };
    const said = messages(async () => {
      await (thenable as unknown as Promise<void>);
      reportProgress({ message: "after the thenable" });
    });
    while (callbacks.length === 0) await immediate();
    createReporter(() => undefined).run(() => callbacks[0]?.());
    expect(await said).toEqual(["after the thenable"]);
  });

  test("is shared by everything in Promise.all", async () => {
    const said = await messages(() =>
      Promise.all(
        ["a", "b", "c"].map(async (message) => {
          await immediate();
          reportProgress({ message });
        }),
      ),
    );
    expect(said.toSorted()).toEqual(["a", "b", "c"]);
  });

  test("can be nested: the inner one wins inside", async () => {
    const inner = createRecorder();
    const said = await messages(() => {
      reportProgress({ message: "before" });
      createReporter(inner).run(sayer("inside"));
      reportProgress({ message: "after" });
    });
    expect(said).toEqual(["before", "after"]);
    expect(inner.messages).toEqual(["inside"]);
  });

  test("of an async generator is that of whoever calls next: currentReporter is the answer", async () => {
    const [maker, consumer] = [createRecorder(), createRecorder()];
    async function* steps(reporter = currentReporter()) {
      for (const message of ["one", "two"]) {
        reportProgress({ message: `ambient ${message}` });
        reporter?.report({ message: `explicit ${message}` });
        yield message;
        await immediate();
      }
    }
    const generator = createReporter(maker).run(() => withAgent("maker", () => steps()));
    await createReporter(consumer).run(() => collect(generator));
    expect(maker.messages).toEqual(["explicit one", "explicit two"]);
    expect(asAgentEvent(maker.events[0]).agent).toBe("maker");
    expect(consumer.messages).toEqual(["ambient one", "ambient two"]);
  });
});

describe("currentReporter", () => {
  test("is the handle of the session, with its agent", () => {
    const bus = createEventBus();
    const entries = recordEntries(bus, "s");
    const handle = bus.withSession("s", () => withAgent("codesmith", () => currentReporter()));
    expect(handle).toMatchObject({
      sessionId: "s",
      epoch: entries[0]?.id.split("-")[0] ?? expect.any(String),
    });
    handle?.report({ message: "later" });
    expect(asAgentEvent(entries[0])).toMatchObject({ agent: "codesmith", msg: "later" });
  });

  test("is the reporter that was run", () => {
    const reporter = createReporter();
    expect(reporter.run(() => currentReporter())).toBe(reporter);
  });

  test("can be run elsewhere", () => {
    const recorder = createRecorder();
    const handle = createReporter(recorder).run(() => withAgent("a", () => currentReporter()));
    handle?.run(() => reportProgress({ message: "elsewhere" }));
    expect(asAgentEvent(recorder.events[0])).toMatchObject({ agent: "a", msg: "elsewhere" });
  });

  test("ends the session it stands for", async () => {
    const bus = createEventBus();
    const entries = recordEntries(bus, "s");
    await bus.withSession("s", () => withAgent("a", () => currentReporter()?.end({ status: "failed" })));
    expect(entries.map(describeEvent)).toEqual(["end failed"]);
  });
});

describe("bindReporter", () => {
  test("has a shared emitter's listener report to its own session, not to the emitter's", () => {
    const bus = createEventBus();
    const [alice, bob] = [recordEntries(bus, "alice"), recordEntries(bus, "bob")];
    const emitter = new EventEmitter();
    bus.withSession("alice", () => {
      emitter.on("row", (row: string) => void reportProgress({ message: `unbound ${row}` }));
      emitter.on(
        "row",
        bindReporter((row: string) => void reportProgress({ message: `bound ${row}` })),
      );
    });
    bus.withSession("bob", () => emitter.emit("row", "1"));
    emitter.emit("row", "2");
    // The unbound one is the mistake that DESIGN warns of: it lands at the emitter's session, or nowhere.
    expect(bob.map(describeEvent)).toEqual(["unbound 1"]);
    expect(alice.map(describeEvent)).toEqual(["bound 1", "bound 2"]);
  });

  test("passes this, arguments and result on, and what is thrown", () => {
    const bound = createReporter().run(() =>
      bindReporter(function (this: { factor: number }, a: number, b: number) {
        if (b === 0) throw new Error("zero");
        return this.factor * (a + b);
      }),
    );
    expect(bound.call({ factor: 10 }, 1, 2)).toBe(30);
    expect(() => bound.call({ factor: 10 }, 1, 0)).toThrow("zero");
  });

  test("keeps the agent", async () => {
    const recorder = createRecorder();
    const emitter = new EventEmitter();
    createReporter(recorder).run(() =>
      withAgent("a", () =>
        emitter.once(
          "go",
          bindReporter(() => void reportProgress({ message: "m" })),
        ),
      ),
    );
    const gone = once(emitter, "go");
    emitter.emit("go");
    await gone;
    expect(asAgentEvent(recorder.events[0]).agent).toBe("a");
  });
});

describe("the ambient store contract", () => {
  beforeAll(() => createReporter().run(() => undefined));

  function foreign() {
    const reports: ProgressReport[] = [];
    const store: Store = {
      reporter: {
        report(report) {
          reports.push(report);
          return reports.length < 3;
        },
      },
    };
    return { reports, run: <T>(fn: () => T): T => slot()!.run(store, fn) };
  }

  test("serves a library that does not depend on this one", () => {
    const recorder = createRecorder();
    createReporter(recorder).run(() => {
      slot()?.getStore()?.reporter.report({ message: "from a stranger", progress: 0.5 });
    });
    expect(asAgentEvent(recorder.events[0])).toMatchObject({ msg: "from a stranger", pct: 0.5 });
  });

  test("holds one frozen object", () => {
    const store = createReporter().run(() => slot()?.getStore());
    expect(Object.keys(store ?? {})).toEqual(["reporter"]);
    expect(store).toSatisfy(Object.isFrozen);
  });

  test("has reportProgress report to a foreign reporter and return its answer", () => {
    const { reports, run } = foreign();
    const report = { message: "m", custom: true };
    expect(run(() => reportProgress(report))).toBe(true);
    expect(reports[0]).toBe(report);
    run(() => reportProgress({}));
    expect(run(() => reportProgress({}))).toBe(false);
  });

  test("has withAgent wrap a foreign reporter: innermost wins, an explicit agent beats it", () => {
    const { reports, run } = foreign();
    run(() =>
      withAgent("outer", () => {
        withAgent("inner", () => reportProgress({ message: "1" }));
        reportProgress({ message: "2" });
        reportProgress({ message: "3", agent: "explicit" });
      }),
    );
    expect(reports).toEqual([
      { message: "1", agent: "inner" },
      { message: "2", agent: "outer" },
      { message: "3", agent: "explicit" },
    ]);
  });

  test("has currentReporter be a handle around a foreign reporter", async () => {
    const { reports, run } = foreign();
    const handle = run(() => withAgent("a", () => currentReporter()));
    expect(handle?.report({ message: "1" })).toBe(true);
    handle?.run(() => reportProgress({ message: "2" }));
    expect(reports).toEqual([
      { message: "1", agent: "a" },
      { message: "2", agent: "a" },
    ]);
    await expect(handle?.end()).resolves.toBeUndefined();
  });

  test("has bindReporter keep a foreign reporter", () => {
    const { reports, run } = foreign();
    const bound = run(() => bindReporter(() => reportProgress({ message: "later" })));
    createReporter(createRecorder()).run(bound);
    expect(reports).toEqual([{ message: "later" }]);
  });
});
