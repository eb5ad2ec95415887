import { beforeEach, describe, expect, test, vi } from "vitest";
import { createEventBus, type SessionEventBus } from "session-progress";
import { sseHandler } from "session-progress/fetch";
import { describeEvent } from "../../support/events.ts";
import { recordErrors } from "../../support/hooks.ts";
import { readEntries, recordEntries } from "../../support/session-entries.ts";
import { untyped } from "../../support/untyped.ts";
import { nextTurn } from "../../support/event-loop.ts";

// Hooks are told of what goes on, and may do something about it: what they do comes after.

beforeEach(() => {
  vi.spyOn(process, "emitWarning").mockReturnValue(undefined);
});

let fresher = 0;

/** What makes `bus` emit each hook once, for session `id`. */
const CAUSES: Record<string, (bus: SessionEventBus, id: string) => unknown> = {
  event: (bus, id) => bus.publish(id, {}),
  run: (bus, id) => bus.start(() => 1, { sessionId: id, keepOpen: true }).done,
  end: (bus, id) => {
    const fresh = `${id}-${++fresher}`;
    bus.publish(fresh, {});
    bus.end(fresh);
  },
  gap: (bus, id) => bus.subscribe(id, () => undefined, { after: "1-99" })(),
  drop: (bus, id) => bus.reporter(id, { epoch: "1" }).report({}),
  error: (bus, id) => bus.publish(id, { progress: NaN }),
};

describe.each(Object.entries(CAUSES))("a once hook %s", (name, cause) => {
  test("is called once, however often it causes the same again, in its session or in others", async () => {
    const bus = createEventBus();
    recordErrors(bus);
    const hook = vi.fn(() => {
      for (const id of ["s", "t", "u"]) void cause(bus, id);
    });
    bus.once(untyped(name), untyped(hook));
    await cause(bus, "s");
    await nextTurn();
    await cause(bus, "s");
    await nextTurn();
    expect(hook).toHaveBeenCalledOnce();
  });

  test("is called once when another hook causes the same before its turn comes", async () => {
    const bus = createEventBus();
    recordErrors(bus);
    let nested = 0;
    bus.on(
      untyped(name),
      untyped(() => (nested++ === 0 ? cause(bus, "t") : undefined)),
    );
    const hook = vi.fn();
    bus.once(untyped(name), untyped(hook));
    await cause(bus, "s");
    await nextTurn();
    expect(hook).toHaveBeenCalledOnce();
  });

  test("is called once when a once hook before it causes the same", async () => {
    const bus = createEventBus();
    recordErrors(bus);
    const hooks = [vi.fn(() => void cause(bus, "t")), vi.fn(() => void cause(bus, "u")), vi.fn()];
    for (const hook of hooks) bus.once(untyped(name), untyped(hook));
    await cause(bus, "s");
    await nextTurn();
    expect(hooks.map((hook) => hook.mock.calls.length)).toEqual([1, 1, 1]);
  });
});

describe("a hook end that ends another session", () => {
  test("ends each once, and every hook hears each once", () => {
    const bus = createEventBus();
    const ids = ["a", "b", "c", "d"];
    for (const id of ids) bus.publish(id, {});
    const heard: string[][] = [[], []];
    bus.on("end", (id) => {
      heard[0]!.push(id);
      for (const other of ids) bus.end(other, { status: "failed" });
    });
    bus.on("end", (id) => void heard[1]!.push(id));
    bus.end("a");
    expect(heard.map((told) => told.sort())).toEqual([ids, ids]);
    for (const id of ids)
      expect(readEntries(bus, id).map(describeEvent)).toEqual([
        "",
        id === "a" ? "end completed" : "end failed",
      ]);
  });
});

describe("a hook error that does what is told to it", () => {
  let ends = 0;

  /** Faults that are told while they are made. */
  const FAULTS: [what: string, fault: (bus: SessionEventBus) => unknown][] = [
    ["a bad report", (bus) => bus.publish("s", { progress: NaN })],
    ["a report that is none", (bus) => bus.publish("s", untyped(7))],
    ["a bad report of a reporter", (bus) => bus.reporter("s").report({ message: untyped(7) })],
    ["a bad event", (bus) => bus.sink("s").event(untyped({ t: "nothing" }))],
    ["a bad session id", (bus) => bus.publish("a b", {})],
    ["data that is no JSON", (bus) => bus.publish("s", { data: 1n })],
    ["a message that is too long", (bus) => bus.publish("s", { message: "x".repeat(3_000) })],
    ["an end with bad data", (bus) => (bus.publish(`t-${++ends}`, {}), bus.end(`t-${ends}`, { data: 1n }))],
  ];

  test.each(FAULTS)("(%s) does not run for ever, and neither do two of them", (_what, fault) => {
    for (const count of [1, 2, 3]) {
      const bus = createEventBus({ maxEventBytes: 1_024 });
      let calls = 0;
      for (let n = 0; n < count; n++) {
        bus.on("error", () => {
          if (++calls > 1_000) throw new Error("endless");
          fault(bus);
        });
      }
      fault(bus);
      expect(calls).toBeGreaterThan(0);
      expect(calls).toBeLessThan(100);
      // And the bus goes on: the next fault is told again.
      const before = calls;
      fault(bus);
      expect(calls).toBeGreaterThan(before);
      bus.end("s");
      expect(readEntries(bus, "s").map(describeEvent).at(-1) ?? "end completed").toBe("end completed");
    }
  });

  test("in another session, by way of its own hook, does not run for ever either", () => {
    const [one, other] = [createEventBus(), createEventBus()];
    let calls = 0;
    const bad = (bus: SessionEventBus) => (): void => {
      if (++calls > 1_000) throw new Error("endless");
      bus.publish("s", { progress: NaN });
    };
    one.on("error", bad(other));
    other.on("error", bad(one));
    expect(one.publish("s", { message: "first", progress: NaN })).toBe(true);
    expect(calls).toBeLessThan(100);
    expect(readEntries(one, "s").map(describeEvent)).toContain("first");
  });

  test("asynchronously, too", async () => {
    const bus = createEventBus();
    let calls = 0;
    bus.on(
      "error",
      untyped(async () => {
        calls++;
        bus.publish("s", { progress: NaN });
        throw new Error("rejected");
      }),
    );
    bus.publish("s", { progress: NaN });
    await nextTurn();
    await nextTurn();
    expect(calls).toBeLessThan(100);
  });

  test("with a good report has that delivered like any other", async () => {
    const bus = createEventBus();
    const entries = recordEntries(bus, "s");
    bus.on("error", (error, sessionId) => void bus.publish(sessionId!, { message: error.name }));
    const text = (await sseHandler(bus)(new Request("http://localhost/?session_id=s"))).text();
    bus.publish("s", { message: "bad", progress: NaN });
    bus.end("s");
    expect(entries.map(describeEvent).sort()).toEqual(["TypeError", "bad", "end completed"]);
    expect(await text).toContain("TypeError");
  });
});

describe("a hook drop that reports again", () => {
  test("to an ended session does not run for ever", () => {
    const bus = createEventBus();
    let calls = 0;
    bus.on("drop", (sessionId) => {
      if (++calls > 1_000) throw new Error("endless");
      bus.publish(sessionId, {});
    });
    bus.publish("s", {});
    bus.end("s");
    bus.publish("s", {});
    expect(calls).toBeGreaterThan(0);
    expect(calls).toBeLessThan(100);
  });

  test("to a bus that is full, or closed, does not run for ever", async () => {
    const bus = createEventBus({ maxSessions: 1 });
    bus.subscribe("busy", () => undefined);
    bus.publish("busy", {});
    let calls = 0;
    bus.on("drop", (sessionId) => {
      if (++calls > 1_000) throw new Error("endless");
      bus.publish(sessionId, {});
    });
    expect(bus.publish("s", {})).toBe(false);
    expect(calls).toBeLessThan(100);
    await bus.close();
    expect(bus.publish("s", {})).toBe(false);
    expect(calls).toBeLessThan(200);
  });
});
