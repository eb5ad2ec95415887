import { describe, expect, test, vi } from "vitest";
import {
  createEventBus,
  currentReporter,
  isSessionProgressError,
  type Outcome,
  reportProgress,
  type RunContext,
} from "session-progress";
import { collect } from "session-progress/testing";
import { deferred } from "../../support/deferred.ts";
import { recordDrops, recordErrors } from "../../support/hooks.ts";
import { settled } from "../../support/event-loop.ts";
import { asAgentEvent, describeEvent, positionsOf } from "../../support/events.ts";
import { recordEntries } from "../../support/session-entries.ts";
import { untyped } from "../../support/untyped.ts";
import { warningsDuring } from "../../support/warnings.ts";

/** Settles when `signal` aborts, with its reason. */
function aborted(signal: AbortSignal): Promise<unknown> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(signal.reason);
    signal.addEventListener("abort", () => resolve(signal.reason), { once: true });
  });
}

describe("start", () => {
  test("calls its function now, under a reporter of the session, and ends the session when it is over", async () => {
    const bus = createEventBus();
    let context: RunContext | undefined;
    const held = deferred();
    const { sessionId, run, done } = bus.start(async (given) => {
      context = given;
      expect(currentReporter()).toBe(given.reporter);
      reportProgress({ message: "1" });
      await held.promise;
      reportProgress({ message: "2" });
    });
    expect(context).toMatchObject({ sessionId, signal: { aborted: false }, reporter: { sessionId } });
    expect(run).toBeUndefined();
    const entries = recordEntries(bus, sessionId);
    expect(entries.map(describeEvent)).toEqual(["1"]);
    held.resolve();
    expect(await done).toEqual({ status: "completed" });
    expect(entries.map(describeEvent)).toEqual(["1", "2", "end completed"]);
    expect(entries.map(({ event }) => "run" in event)).toEqual([false, false, false]);
  });

  test("makes a session id, or takes one", () => {
    const bus = createEventBus();
    expect(bus.start(() => undefined).sessionId).toMatch(/^[\w-]{22}$/);
    expect(bus.start(() => undefined, { sessionId: "mine" }).sessionId).toBe("mine");
  });

  test("keeps what the function returned to itself, unless `result` makes data of it", async () => {
    const bus = createEventBus();
    const secret = bus.start(() => ({ token: "secret" }));
    expect(await secret.done).toEqual({ status: "completed" });
    expect(JSON.stringify(recordEntries(bus, secret.sessionId))).not.toContain("secret");

    const told = bus.start(async () => ({ files: 7, token: "secret" }), {
      result: ({ files }) => ({ files }),
    });
    expect(await told.done).toEqual({ status: "completed", data: { files: 7 } });
    expect(recordEntries(bus, told.sessionId)[0]?.event).toMatchObject({
      t: "session_end",
      data: { files: 7 },
    });
  });

  test.each([
    [
      "throws",
      () => {
        throw new Error("no result");
      },
      "no result",
    ],
    ["is no JSON", () => 1n, "Expected `data` to be JSON: Do not know how to serialize a BigInt"],
  ])("completes without data when `result` %s, and the error hook is told", async (_how, result, message) => {
    for (const strict of [false, true]) {
      const bus = createEventBus({ strict });
      const faults = recordErrors(bus);
      const { sessionId, done } = bus.start(() => 1, { result });
      expect(await done).toMatchObject({ status: "completed" });
      expect(recordEntries(bus, sessionId).map(describeEvent)).toEqual(["end completed"]);
      expect(faults.map((fault) => fault.message)).toEqual([message]);
    }
  });

  test.each([
    [
      "throws",
      () => {
        throw new Error("secret text");
      },
    ],
    [
      "rejects",
      async () => {
        await settled();
        throw new Error("secret text");
      },
    ],
  ])("ends the session as failed when its function %s; the text stays in the process", async (_how, fn) => {
    const bus = createEventBus();
    const ends: unknown[] = [];
    bus.on("end", (...args) => void ends.push(args));
    const { sessionId, done } = bus.start(fn);
    const outcome = await done;
    expect(outcome).toEqual({ status: "failed", error: new Error("secret text") });
    const entries = recordEntries(bus, sessionId);
    expect(entries.map(({ event }) => event)).toEqual([
      { t: "session_end", status: "failed", ts: expect.any(String) },
    ]);
    expect(JSON.stringify(entries)).not.toContain("secret");
    expect(ends).toEqual([[sessionId, outcome]]);
  });

  test("warns the process once of a failed run that no `end` hook sees", async () => {
    const bus = createEventBus();
    const fail = () => bus.start(() => Promise.reject(new Error("boom"))).done;
    const warnings = await warningsDuring(() => Promise.all([fail(), fail()]));
    expect(warnings).toEqual(["A run failed: boom (listen to the bus's `end` hook to see all)"]);
  });

  test.each([undefined, null, "thrown", 7])("resolves `done` when %j is thrown", async (thrown) => {
    const bus = createEventBus();
    bus.on("end", () => undefined);
    const { done } = bus.start(() => {
      throw thrown;
    });
    expect(await done).toEqual({ status: "failed", error: thrown });
  });

  test("takes a thenable for what it is", async () => {
    const bus = createEventBus();
    const thenable = { then: (resolve: (value: number) => void) => void setImmediate(resolve, 7) };
    const { done } = bus.start(() => thenable as unknown as PromiseLike<number>, {
      result: (value) => value + 1,
    });
    expect(await done).toMatchObject({ status: "completed", data: 8 });
  });

  test("joins an open session", async () => {
    const bus = createEventBus();
    bus.publish("s", { message: "before" });
    await bus.start(() => void reportProgress({ message: "in" }), { sessionId: "s" }).done;
    const entries = recordEntries(bus, "s");
    expect(entries.map(describeEvent)).toEqual(["before", "in", "end completed"]);
    expect(positionsOf(entries)).toEqual([1, 2, 3]);
  });

  test.each([
    [untyped("fn"), {}, /^Expected `fn` to be a function/],
    [() => undefined, { sessionId: "a b" }, /^Expected `sessionId`/],
    [() => undefined, { owner: () => 1 }, /^Expected `owner` to be JSON, got a function/],
    [() => undefined, { owner: 1n }, /^Expected `owner` to be JSON/],
  ])("throws for malformed arguments (%#) and opens nothing", (fn, options, message) => {
    const bus = createEventBus();
    expect(() => bus.start(fn, options)).toThrow(message);
    expect(() => bus.start(fn, options)).toThrow(TypeError);
    expect(bus.stats().sessions).toBe(0);
  });
});

describe("the reporter of a run", () => {
  test("ends the run as if its function had returned, when it is ended", async () => {
    const bus = createEventBus();
    const held = deferred();
    const { sessionId, done } = bus.start(async ({ reporter, signal }) => {
      await reporter.end({ status: "cancelled", message: "enough" });
      expect(signal.aborted).toBe(false);
      expect(reporter.report({})).toBe(false);
      await held.promise;
    });
    expect(await done).toEqual({ status: "cancelled", message: "enough" });
    held.resolve();
    await settled();
    expect(recordEntries(bus, sessionId).map(({ event }) => event)).toEqual([
      { t: "session_end", status: "cancelled", msg: "enough", ts: expect.any(String) },
    ]);
  });

  test.each([false, true])("never rejects its end, even with bad data (strict: %j)", async (strict) => {
    const bus = createEventBus({ strict });
    const faults = recordErrors(bus);
    for (const keepOpen of [false, true]) {
      const { done } = bus.start(({ reporter }) => reporter.end({ status: "completed", data: 1n }), {
        keepOpen,
      });
      expect(await done).toMatchObject({ status: "completed" });
    }
    expect(faults).toHaveLength(2);
  });

  test("is refused after the run, and `drop` says so", async () => {
    const bus = createEventBus();
    const drops = recordDrops(bus);
    let late: () => boolean = () => true;
    await bus.start(
      ({ reporter }) => {
        late = () => reporter.report({ message: "late" });
      },
      { sessionId: "s" },
    ).done;
    expect(late()).toBe(false);
    bus.run("s", () => undefined);
    expect(late()).toBe(false);
    expect(drops).toEqual(Array(2).fill(["s", "ended"]));
  });

  test("has what is thrown after its end told to the error hook: it must not get lost", async () => {
    const bus = createEventBus();
    const faults = recordErrors(bus);
    const { done } = bus.start(async ({ reporter }) => {
      await reporter.end();
      throw new Error("afterwards");
    });
    expect(await done).toEqual({ status: "completed" });
    await settled();
    expect(faults.map(({ message }) => message)).toEqual(["afterwards"]);
  });
});

describe("runs that keep their session open", () => {
  test("make a chat: three runs in one session, each closed by its run_end", async () => {
    const bus = createEventBus();
    bus.on("end", () => undefined);
    const following = collect(bus.follow("chat"));
    const runs: string[] = [];
    for (const [i, answer] of ["one", "two", "three"].entries()) {
      const { run, done } = bus.start(
        () => {
          reportProgress({ message: answer });
          if (i === 1) throw new Error("secret");
          return answer;
        },
        { sessionId: "chat", keepOpen: true, result: (value) => value },
      );
      runs.push(run!);
      const outcome: Outcome = await done;
      expect(outcome.status).toBe(i === 1 ? "failed" : "completed");
    }
    expect(bus.publish("chat", { message: "between" })).toBe(true);
    bus.end("chat");
    const entries = await following;

    expect(entries.map(describeEvent)).toEqual([
      ...["one", "run completed", "two", "run failed", "three", "run completed"],
      ...["between", "end completed"],
    ]);
    expect(positionsOf(entries)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(new Set(runs).size).toBe(3);
    expect(entries.map(({ event }) => (event as { run?: string }).run)).toEqual([
      ...runs.flatMap((run) => [run, run]),
      undefined,
      undefined,
    ]);
    expect(Object.entries(entries[1]!.event)).toEqual([
      ["t", "run_end"],
      ["run", runs[0]],
      ["status", "completed"],
      ["data", "one"],
      ["ts", expect.any(String)],
    ]);
    expect(JSON.stringify(entries)).not.toContain("secret");
  });

  test("may overlap", async () => {
    const bus = createEventBus();
    const held = deferred();
    const first = bus.start(
      async () => {
        await held.promise;
        reportProgress({ message: "first" });
      },
      { sessionId: "s", keepOpen: true },
    );
    await bus.start(() => void reportProgress({ message: "second" }), { sessionId: "s", keepOpen: true })
      .done;
    held.resolve();
    await first.done;
    const entries = recordEntries(bus, "s");
    expect(entries.map(describeEvent)).toEqual(["second", "run completed", "first", "run completed"]);
    expect(asAgentEvent(entries[2]).run).toBe(first.run);
  });

  test("are refused after their run_end, though the session goes on", async () => {
    const bus = createEventBus();
    let kept: RunContext["reporter"] | undefined;
    await bus.start(({ reporter }) => void (kept = reporter), { sessionId: "s", keepOpen: true }).done;
    const entries = recordEntries(bus, "s");
    expect(kept?.report({})).toBe(false);
    await kept?.end({ status: "failed" });
    expect(bus.publish("s", { message: "goes on" })).toBe(true);
    expect(entries.map(describeEvent)).toEqual(["run completed", "goes on"]);
  });

  test("write no run_end after the session's end", async () => {
    const bus = createEventBus();
    const { done } = bus.start(({ signal }) => aborted(signal), { sessionId: "s", keepOpen: true });
    bus.end("s", { status: "failed" });
    expect((await done).status).toBe("failed");
    await settled();
    expect(recordEntries(bus, "s").map(describeEvent)).toEqual(["end failed"]);
  });
});

describe("the signal of a run", () => {
  test("aborts when its session is ended from elsewhere; `done` tells that end's status", async () => {
    const bus = createEventBus();
    const faults = recordErrors(bus);
    let reason: unknown;
    const { sessionId, done } = bus.start(async ({ signal }) => {
      reason = await aborted(signal);
      throw reason;
    });
    bus.end(sessionId, { status: "cancelled", message: "by the user" });
    expect(await done).toMatchObject({ status: "cancelled", message: "by the user" });
    await settled();
    expect(isSessionProgressError(reason) && reason.code).toBe("ended");
    expect(recordEntries(bus, sessionId).map(describeEvent)).toEqual(["end cancelled"]);
    expect(faults).toEqual([]);
  });

  test("aborts in every run of the session", async () => {
    const bus = createEventBus();
    const runs = [true, false, true].map((keepOpen) =>
      bus.start(({ signal }) => aborted(signal), { sessionId: "s", keepOpen }),
    );
    bus.end("s", { status: "failed" });
    expect((await Promise.all(runs.map(({ done }) => done))).map(({ status }) => status)).toEqual(
      Array(3).fill("failed"),
    );
  });

  test("aborts when a run that does not keep the session open ends it for the others", async () => {
    const bus = createEventBus();
    const other = bus.start(({ signal }) => aborted(signal), { sessionId: "s", keepOpen: true });
    await bus.start(() => undefined, { sessionId: "s" }).done;
    expect((await other.done).status).toBe("completed");
  });

  test("does not abort when the run is over", async () => {
    const bus = createEventBus();
    const onAbort = vi.fn();
    const { sessionId, done } = bus.start(({ signal }) => signal.addEventListener("abort", onAbort));
    await done;
    bus.end(sessionId);
    await bus.close();
    expect(onAbort).not.toHaveBeenCalled();
  });

  test("aborts at once when the bus closes without grace; no end is written", async () => {
    const bus = createEventBus();
    const ends = vi.fn();
    bus.on("end", ends);
    const { sessionId, done } = bus.start(({ signal }) => aborted(signal));
    const entries = recordEntries(bus, sessionId);
    await bus.close();
    expect(await done).toEqual({ status: "cancelled" });
    expect(entries).toEqual([]);
    expect(ends).not.toHaveBeenCalled();
  });

  test("aborts under no ambient reporter: neither the run's nor that of whoever ended it", async () => {
    const bus = createEventBus();
    const ambient: unknown[] = [];
    const { done } = bus.start(
      ({ signal }) =>
        new Promise<void>((resolve) => {
          signal.addEventListener("abort", () => {
            ambient.push(currentReporter());
            resolve();
          });
        }),
      { sessionId: "victim" },
    );
    bus.run("other", () => bus.end("victim"));
    await done;
    expect(ambient).toEqual([undefined]);
  });

  test("waits for the grace, in which runs may report and end as ever", async () => {
    const bus = createEventBus();
    const held = deferred();
    const { sessionId, done } = bus.start(async ({ signal }) => {
      await held.promise;
      expect(signal.aborted).toBe(false);
      reportProgress({ message: "in time" });
    });
    const entries = recordEntries(bus, sessionId);
    const closing = bus.close({ graceMs: 60_000 });
    expect(() => bus.start(() => undefined)).toThrow("closed");
    held.resolve();
    await closing;
    expect(await done).toEqual({ status: "completed" });
    expect(entries.map(describeEvent)).toEqual(["in time", "end completed"]);
  });

  test("aborts when the grace is over", async () => {
    const bus = createEventBus();
    const { done } = bus.start(({ signal }) => aborted(signal));
    await bus.close({ graceMs: 5 });
    expect(await done).toEqual({ status: "cancelled" });
  });
});

describe("what a run throws", () => {
  test.each([
    ["a symbol for a message", Object.assign(new Error(), { message: Symbol("m") })],
    [
      "a message that throws",
      Object.defineProperty(new Error(), "message", {
        get: () => {
          throw new Error("getter");
        },
      }),
    ],
  ])("may be an error with %s: the run has failed, and nothing is left unhandled", async (_what, error) => {
    const unhandled = vi.fn();
    process.on("unhandledRejection", unhandled);
    const bus = createEventBus();
    await warningsDuring(async () => {
      const { done } = bus.start(() => Promise.reject(error));
      expect((await done).status).toBe("failed");
    });
    process.off("unhandledRejection", unhandled);
    expect(unhandled).not.toHaveBeenCalled();
  });
});

describe("the owner of a session", () => {
  test("is checked to be JSON before anything is started", () => {
    const bus = createEventBus();
    const fn = vi.fn();
    expect(() => bus.start(fn, { owner: Symbol("s") })).toThrow(TypeError);
    expect(fn).not.toHaveBeenCalled();
  });
});
