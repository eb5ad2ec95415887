import { describe, expect, test } from "vitest";
import {
  createEventBus,
  createReporter,
  reportProgress,
  type SessionEvent,
  type SessionEventBus,
  withAgent,
} from "session-progress";
import { sseHandler } from "session-progress/fetch";
import { followOverWebSocket } from "session-progress/websocket";
import { readEntries, recordEntries } from "../../support/session-entries.ts";
import { recordErrors } from "../../support/hooks.ts";
import { untyped } from "../../support/untyped.ts";

const ts = "2026-11-22T08:37:06.927Z";

/** Letters that JSON writes longer than they are, or UTF-8 does. */
const LETTERS = ["x", "\u0001", "\0", '"', "\\", "\n", "ä", "語", "💡", "\ud800"];

/** Ways to make an event out of one long text. */
const LONG: Record<string, (bus: SessionEventBus, long: string) => unknown> = {
  "the agent of a report": (bus, long) => bus.publish("s", { agent: long.slice(0, 256) }),
  "agent and message": (bus, long) => bus.publish("s", { agent: long.slice(0, 256), message: long }),
  "the agent of a reporter": (bus, long) => bus.reporter("s", { agent: long.slice(0, 256) }).report({}),
  "the agent of withAgent": (bus, long) =>
    bus.reporter("s").run(() => withAgent(long.slice(0, 256), () => reportProgress({ message: long }))),
  "the message": (bus, long) => bus.publish("s", { message: long }),
  "the message of a tee": (bus, long) => createReporter(bus.sink("s")).report({ message: long }),
  "the data": (bus, long) => bus.publish("s", { message: "m", data: long }),
  "message and data": (bus, long) => bus.publish("s", { message: long, data: { long } }),
  "keys of data": (bus, long) => bus.publish("s", { data: { [long]: 1 } }),
  "a foreign agent": (bus, long) => foreign(bus, { agent: long }),
  "a foreign message": (bus, long) => foreign(bus, { msg: long }),
  "a foreign run": (bus, long) => foreign(bus, { run: long }),
  "a foreign task": (bus, long) => foreign(bus, { task: long }),
  "a foreign time": (bus, long) => foreign(bus, { ts: long }),
  "everything of a foreign event": (bus, long) =>
    foreign(bus, { agent: long, msg: long, run: long, task: long, data: long }),
  "a foreign run_end": (bus, long) =>
    bus.sink("s").event(untyped({ t: "run_end", run: long, status: "failed", msg: long, data: long, ts })),
  "a foreign end": (bus, long) =>
    bus.sink("s").event(untyped({ t: "session_end", status: "failed", msg: long, data: long, ts })),
  "an end": (bus, long) => bus.end("s", { message: long, data: { long } }),
  "a result": (bus, long) =>
    bus.start(() => long, { sessionId: "s", keepOpen: true, result: (value) => value }).done,
};

function foreign(bus: SessionEventBus, fields: object): unknown {
  return bus
    .sink("s")
    .event(untyped({ t: "agent_event", agent: "a", phase: "think", msg: "", ts, ...fields }));
}

const CASES = Object.keys(LONG).flatMap((what) =>
  LETTERS.map((letter) => ({ what, letter, name: JSON.stringify(letter) })),
);

describe("no event is longer than maxEventBytes:", () => {
  test.each(CASES)("$what, full of $name", async ({ what, letter }) => {
    for (const maxEventBytes of [1_024, 1_025, 4_000]) {
      const bus = createEventBus({ maxEventBytes });
      recordErrors(bus);
      const told: string[] = [];
      const handle = sseHandler(bus);
      const text = (await handle(new Request("http://localhost/?session_id=s"))).text();
      followOverWebSocket(bus, "s", { send: (message) => void told.push(message), close: () => undefined });
      bus.publish("s", {});
      for (const times of [1, 30, 170, 256, 1_000, 5_000]) await LONG[what]!(bus, letter.repeat(times));
      bus.end("s");
      const entries = readEntries(bus, "s").map(({ event }) => event);
      for (const event of entries) {
        expect(Buffer.byteLength(JSON.stringify(event))).toBeLessThanOrEqual(maxEventBytes);
      }
      for (const [, data] of (await text).matchAll(/^data: (.*)$/gm)) {
        expect(Buffer.byteLength(data!)).toBeLessThanOrEqual(maxEventBytes);
      }
      for (const message of told) {
        const { event } = JSON.parse(message) as { event: SessionEvent };
        expect(Buffer.byteLength(JSON.stringify(event))).toBeLessThanOrEqual(maxEventBytes);
      }
    }
  });

  test.each([
    ["message", { message: "x".repeat(3_000) }],
    ["data", { message: "m", data: "x".repeat(3_000) }],
    ["agent and message", { agent: "\u0001".repeat(256), message: "m" }],
  ])("one that had to be cut says so (%s), and others do not", (_what, report) => {
    const bus = createEventBus({ maxEventBytes: 1_024 });
    recordErrors(bus);
    const entries = recordEntries(bus, "s");
    bus.publish("s", report);
    bus.publish("s", { message: "whole", data: { a: 1 } });
    bus.end("s", { message: "x".repeat(3_000) });
    expect(entries.map(({ event }) => (event as { cut?: boolean }).cut)).toEqual([true, undefined, true]);
  });
});

describe("maxTotalBytes is never exceeded:", () => {
  /** The most that `bus` ever counted while `fill` went on. */
  function highest(bus: SessionEventBus, fill: () => void): number {
    let most = 0;
    const look = (): void => void (most = Math.max(most, bus.stats().bytes));
    bus.on("event", look);
    bus.on("drop", look);
    fill();
    look();
    return most;
  }

  test("by one long event in a small bus", () => {
    for (const maxTotalBytes of [1_024, 2_048, 10_000]) {
      const bus = createEventBus({ history: { maxTotalBytes } });
      recordErrors(bus);
      const most = highest(bus, () => {
        bus.publish("s", { message: "x".repeat(60_000) });
        bus.publish("s", { data: "x".repeat(60_000) });
        bus.end("s", { message: "x".repeat(60_000), data: "y".repeat(60_000) });
      });
      expect(most).toBeLessThanOrEqual(maxTotalBytes);
      expect(most).toBeGreaterThan(0);
    }
  });

  test("where the oldest entries are the newest of their kind, and stay", () => {
    const maxTotalBytes = 200_000;
    const bus = createEventBus({ history: { maxEvents: 8, maxBytes: 100_000, maxTotalBytes } });
    const most = highest(bus, () => {
      for (let n = 0; n < 4_000; n++) {
        const agent = `agent ${n % 7}`;
        bus.publish(`s-${n % 37}`, { agent, message: "x".repeat((n * 7_919) % 20_000) });
      }
    });
    expect(most).toBeLessThanOrEqual(maxTotalBytes);
    expect(most).toBeGreaterThan(maxTotalBytes / 2);
  });

  test("where every session is followed, or has a run", () => {
    const maxTotalBytes = 100_000;
    const bus = createEventBus({ history: { maxTotalBytes } });
    const most = highest(bus, () => {
      for (let n = 0; n < 40; n++) {
        if (n % 2 === 0) bus.subscribe(`s-${n}`, () => undefined);
        else bus.start(() => new Promise(() => undefined), { sessionId: `s-${n}`, keepOpen: true });
      }
      for (let n = 0; n < 2_000; n++)
        bus.publish(`s-${n % 40}`, { message: "x".repeat((n * 7_919) % 3_000) });
      for (let n = 0; n < 40; n++) bus.end(`s-${n}`, { data: "y".repeat(10_000) });
    });
    expect(most).toBeLessThanOrEqual(maxTotalBytes);
  });

  test("by what is told of reports that found no room", () => {
    const bus = createEventBus({ maxSessions: 1, history: { maxTotalBytes: 2_048 } });
    const most = highest(bus, () => {
      for (let n = 0; n < 400; n++)
        bus.publish("s", { agent: `a ${n % 5}`, message: "x".repeat((n * 37) % 1_600) });
    });
    expect(most).toBeLessThanOrEqual(2_048);
  });

  test("by what is encoded for followers", async () => {
    const maxTotalBytes = 50_000;
    const bus = createEventBus({ history: { maxTotalBytes } });
    let most = 0;
    const look = (): void => void (most = Math.max(most, bus.stats().bytes));
    bus.on("event", look);
    for (let n = 0; n < 20; n++) {
      const reader = (
        await sseHandler(bus)(new Request(`http://localhost/?session_id=s-${n % 4}`))
      ).body!.getReader();
      void (async () => {
        while (!(await reader.read()).done) look();
      })();
      followOverWebSocket(bus, `s-${n % 4}`, { send: look, close: () => undefined });
    }
    for (let n = 0; n < 400; n++) {
      bus.publish(`s-${n % 4}`, { message: "x".repeat((n * 37) % 1_600), data: { n } });
      if (n % 10 === 0) await bus.flush();
      look();
    }
    expect(most).toBeLessThanOrEqual(maxTotalBytes);
    await bus.close();
    expect(bus.stats().bytes).toBe(0);
  });
});
