import { describe, expect, test } from "vitest";
import { createEventBus, createReporter, reportProgress } from "session-progress";
import { collect } from "session-progress/testing";
import { asAgentEvent, describeEvent, epochOf, positionsOf } from "../../support/events.ts";
import { recordEntries } from "../../support/session-entries.ts";

describe("reporting to a session", () => {
  test("is the same by publish, reporter, run and sink", () => {
    const bus = createEventBus();
    const entries = recordEntries(bus, "s");
    expect(bus.publish("s", { message: "publish" })).toBe(true);
    expect(bus.reporter("s").report({ message: "reporter" })).toBe(true);
    expect(bus.withSession("s", () => reportProgress({ message: "withSession" }))).toBe(true);
    expect(createReporter(bus.sink("s")).report({ message: "sink" })).toBe(true);
    expect(entries.map(describeEvent)).toEqual(["publish", "reporter", "withSession", "sink"]);
    expect(positionsOf(entries)).toEqual([1, 2, 3, 4]);
    expect(new Set(entries.map(epochOf)).size).toBe(1);
  });

  test("works with detached methods", async () => {
    const { publish, subscribe, follow, withSession, reporter, sink, start, end, stats, flush, close, on } =
      createEventBus();
    const heard: string[] = [];
    on("event", (_id, entry) => void heard.push(describeEvent(entry)));
    subscribe("s", (entry) => void heard.push(describeEvent(entry)));
    publish("s", { message: "1" });
    withSession("s", () => reportProgress({ message: "2" }));
    reporter("s").report({ message: "3" });
    createReporter(sink("s")).report({ message: "4" });
    await start(() => undefined, { sessionId: "other" }).done;
    end("s");
    await flush();
    expect(heard.filter((said) => said === "4")).toHaveLength(2);
    expect(await collect(follow("s"))).toHaveLength(5);
    expect(stats().events).toBe(6);
    await close();
  });

  test("is synchronous: a test asserts on the next line", () => {
    const bus = createEventBus();
    const entries = recordEntries(bus, "s");
    bus.publish("s", { message: "m" });
    expect(entries).toHaveLength(1);
  });

  test("makes epochs below 2^62 from the time, and entries with its id", () => {
    const bus = createEventBus();
    const before = BigInt(Date.now()) << 20n;
    const epoch = BigInt(bus.reporter("s").epoch!);
    expect(epoch >= before && epoch < 1n << 62n && epoch >> 20n <= BigInt(Date.now())).toBe(true);
    const entries = recordEntries(bus, "s");
    bus.publish("s", {});
    expect(entries[0]?.id).toBe(`${epoch}-1`);
    expect(entries[0]).toSatisfy(Object.isFrozen);
  });

  test("of one bus reaches nobody at another", () => {
    const [one, other] = [createEventBus(), createEventBus()];
    const entries = recordEntries(other, "s");
    one.publish("s", {});
    expect(entries).toEqual([]);
  });

  test("returns or throws from run what the function does, and ends nothing", async () => {
    const bus = createEventBus();
    const entries = recordEntries(bus, "s");
    expect(bus.withSession("s", () => 1)).toBe(1);
    await expect(bus.withSession("s", () => Promise.reject(new Error("async")))).rejects.toThrow("async");
    expect(() =>
      bus.withSession("s", () => {
        throw new Error("sync");
      }),
    ).toThrow("sync");
    expect(entries).toEqual([]);
    expect(bus.publish("s", {})).toBe(true);
  });

  test("takes events of another reporter into a sink, as they are", () => {
    const bus = createEventBus();
    const entries = recordEntries(bus, "s");
    const sink = bus.sink("s");
    const event = {
      t: "agent_event",
      agent: "a",
      phase: "think",
      msg: "m",
      ts: "2026-11-22T08:37:06.927Z",
    } as const;
    expect(sink.event(event)).toBe(true);
    expect(sink.event({ t: "gap", reason: "behind", missed: 3 })).toBe(true);
    expect(sink.event({ t: "run_end", run: "r", status: "completed", ts: event.ts })).toBe(true);
    expect(sink.event({ t: "session_end", status: "failed", ts: event.ts })).toBe(true);
    expect(sink.event(event)).toBe(false);
    expect(entries.map(({ event: { t } }) => t)).toEqual(["agent_event", "gap", "run_end", "session_end"]);
    expect(entries[0]?.event).toEqual(event);
    expect(entries[3]?.event).toEqual({ t: "session_end", status: "failed", ts: event.ts });
    // What one log missed is lost to the other: a hole of its own would be a lie.
    expect(entries[1]?.event).toEqual({ t: "gap", reason: "dropped", lost: 3 });
  });
});

describe("the agent of bus.reporter", () => {
  test("is checked", () => {
    expect(() => createEventBus().reporter("s", { agent: "" })).toThrow(/^Expected `agent` to be a string/);
    const bus = createEventBus();
    const entries = recordEntries(bus, "s");
    bus.reporter("s", { agent: "codesmith" }).report({});
    expect(asAgentEvent(entries[0]).agent).toBe("codesmith");
  });
});
