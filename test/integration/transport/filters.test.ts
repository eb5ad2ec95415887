import { describe, expect, onTestFinished, test, vi } from "vitest";
import { createEventBus, type SessionEventBus } from "session-progress";
import { recordErrors } from "../../support/hooks.ts";
import { untyped } from "../../support/untyped.ts";
import { FILTERED } from "../../support/filtered-followers.ts";
import { nextTurn } from "../../support/event-loop.ts";

// A filter keeps events from who must not see them, so it admits on `true` alone.

/** Reports over several turns, with an entry that no filter is asked about, and ends. */
async function report(bus: SessionEventBus): Promise<void> {
  for (const message of ["1", "2"]) bus.publish("s", { message });
  await nextTurn();
  await bus.start(() => 1, { sessionId: "s", keepOpen: true }).done;
  bus.publish("s", { message: "3" });
  bus.end("s");
}

const WITHHOLDING: [what: string, answer: () => unknown][] = [
  ["undefined", () => undefined],
  ["null", () => null],
  ["0", () => 0],
  ["1", () => 1],
  ["a string", () => "true"],
  ["an object", () => ({})],
  ["a function", () => () => true],
  ["a Boolean object", () => new Boolean(true)],
  ["a promise of true", async () => true],
  ["a promise of false", async () => false],
  ["a promise that takes its time", async () => (await nextTurn(), true)],
  ["a promise that rejects", async () => Promise.reject(new Error("rejected"))],
  ["a promise that rejects later", async () => (await nextTurn(), Promise.reject(new Error("rejected")))],
  ["a thenable", () => ({ then: (resolve: (value: boolean) => void) => resolve(true) })],
  [
    "a thenable that throws",
    () => ({
      then: () => {
        throw new Error("then");
      },
    }),
  ],
];

describe.each(Object.entries(FILTERED))("a filter over %s that answers", (_adapter, follow) => {
  test.each(WITHHOLDING)("%s withholds, and is told to the error hook", async (_what, answer) => {
    const unhandled = vi.fn();
    process.on("unhandledRejection", unhandled);
    onTestFinished(() => void process.off("unhandledRejection", unhandled));
    const bus = createEventBus();
    const told: unknown[][] = [];
    bus.on("error", (error, sessionId) => void told.push([error, sessionId]));
    const heard = await follow(bus, untyped(answer));
    await report(bus);
    expect(await heard()).toEqual(["ready", "run_end", "session_end"]);
    await nextTurn();
    await nextTurn();
    expect(told[0]).toEqual([expect.any(Error), "s"]);
    expect(unhandled).not.toHaveBeenCalled();
    await bus.close();
  });

  test("true admits and false withholds; neither is told", async () => {
    const bus = createEventBus();
    const faults = recordErrors(bus);
    const heard = await follow(bus, ({ msg }) => msg !== "2");
    await report(bus);
    expect(await heard()).toEqual(["ready", "1", "run_end", "3", "session_end"]);
    expect(faults).toEqual([]);
    await bus.close();
  });

  test("another thing each time admits nothing but on true", async () => {
    const bus = createEventBus();
    const faults = recordErrors(bus);
    const answers: unknown[] = [true, undefined, true];
    const heard = await follow(
      bus,
      untyped(() => answers.shift()),
    );
    await report(bus);
    expect(await heard()).toEqual(["ready", "1", "run_end", "3", "session_end"]);
    expect(faults).toHaveLength(1);
    await bus.close();
  });
});
