import { describe, expect, test } from "vitest";
import { createEventBus, type Outcome, reportProgress, type RunContext } from "session-progress";
import { collect } from "session-progress/testing";
import { aborted } from "../../support/aborted.ts";
import { deferred } from "../../support/deferred.ts";
import { settled } from "../../support/event-loop.ts";
import { asAgentEvent, describeEvent, positionsOf } from "../../support/events.ts";
import { recordEntries } from "../../support/session-entries.ts";

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
      ["ts", expect.any(String)],
      ["data", "one"],
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

  test("are cancelled by the session's end: each has its run_end before that, and none after", async () => {
    const bus = createEventBus();
    const runs = [1, 2].map(() =>
      bus.start(({ signal }) => aborted(signal), { sessionId: "s", keepOpen: true }),
    );
    bus.end("s", { status: "failed" });
    for (const { done } of runs) expect(await done).toEqual({ status: "cancelled" });
    await settled();
    const entries = recordEntries(bus, "s");
    expect(entries.map(describeEvent)).toEqual(["run cancelled", "run cancelled", "end failed"]);
    expect(entries.map(({ event }) => (event as { run?: string }).run)).toEqual([
      ...runs.map(({ run }) => run),
      undefined,
    ]);
  });
});
