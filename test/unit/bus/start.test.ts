import { describe, expect, test, vi } from "vitest";
import {
  createEventBus,
  currentReporter,
  reportProgress,
  type RunContext,
  type SessionEventBus,
} from "session-progress";
import { deferred } from "../../support/deferred.ts";
import { settled } from "../../support/event-loop.ts";
import { describeEvent, positionsOf } from "../../support/events.ts";
import { recordErrors } from "../../support/hooks.ts";
import { recordEntries } from "../../support/session-entries.ts";
import { untyped } from "../../support/untyped.ts";
import { warningsDuring } from "../../support/warnings.ts";

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
    expect(ends).toEqual([[sessionId, outcome, null]]);
  });

  test("warns the process once of failed runs that no `run` and no `end` hook sees", async () => {
    const fail = (bus: SessionEventBus) =>
      Promise.all(
        [false, true].map(
          (keepOpen) => bus.start(() => Promise.reject(new Error("boom")), { keepOpen }).done,
        ),
      );
    for (const hook of ["run", "end"] as const) {
      const bus = createEventBus();
      bus.on(hook, () => undefined);
      expect(await warningsDuring(() => fail(bus))).toEqual([]);
    }
    const warnings = await warningsDuring(() => fail(createEventBus()));
    expect(warnings).toEqual(["A run failed: boom (listen to the bus's `run` hook to see all)"]);
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
