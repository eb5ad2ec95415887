import { Hono } from "hono";
import { describe, expect, test } from "vitest";
import { createEventBus, type EventBusOptions, type SessionEventBus } from "session-progress";
import { sseHandler } from "session-progress/fetch";
import { sseHandler as honoHandler } from "session-progress/hono";
import { followOverWebSocket } from "session-progress/websocket";
import { settled } from "../../support/event-loop.ts";
import { describeEvent } from "../../support/events.ts";
import { readEntries } from "../../support/session-entries.ts";

// That a session has ended, and how, is remembered when memory is short and when the bus is full: nothing else
// stops its clients from coming back for ever.

/** What becomes of a client that comes back with `lastEventId`, over each transport. */
const COMING_BACK: Record<
  string,
  (bus: SessionEventBus, id: string, last: string) => Promise<number | undefined>
> = {
  fetch: async (bus, id, last) => (await sseHandler(bus)(request(id, last))).status,
  "fetch, by the query": async (bus, id, last) =>
    (await sseHandler(bus)(new Request(`http://localhost/?session_id=${id}&last_event_id=${last}`))).status,
  "fetch with mustExist": async (bus, id, last) =>
    (await sseHandler(bus, { mustExist: true })(request(id, last))).status,
  hono: async (bus, id, last) =>
    (await new Hono().get("/", honoHandler(bus)).request(request(id, last))).status,
  websocket: async (bus, id, last) => {
    let closed: number | undefined;
    const close = (code?: number): void => void (closed ??= code);
    followOverWebSocket(bus, id, { send: () => undefined, close }, { after: last });
    await settled();
    return closed;
  },
};

const DONE: Record<string, number> = { websocket: 1000 };
const FULL: Record<string, number> = { websocket: 4029 };

function request(id: string, lastEventId = ""): Request {
  return new Request(`http://localhost/?session_id=${id}`, { headers: { "Last-Event-ID": lastEventId } });
}

/** What presses, and for how long: until many times what fits has been reported. */
const PRESSURES: Record<string, { options: EventBusOptions; press: (bus: SessionEventBus) => void }> = {
  "long messages of one session": {
    options: { history: { maxTotalBytes: 60_000 } },
    press: (bus) => {
      for (let n = 0; n < 600; n++) bus.publish("other", { message: "x".repeat(1_000) });
    },
  },
  "long messages of many sessions": {
    options: { history: { maxTotalBytes: 60_000 } },
    press: (bus) => {
      for (let n = 0; n < 600; n++) bus.publish(`other-${n}`, { message: "x".repeat(1_000) });
    },
  },
  "sessions that are followed": {
    options: { history: { maxTotalBytes: 60_000 } },
    press: (bus) => {
      for (let n = 0; n < 600; n++) {
        if (n < 100) bus.subscribe(`other-${n}`, () => undefined);
        bus.publish(`other-${n % 100}`, { data: "x".repeat(1_000) });
      }
    },
  },
  "other ends with data": {
    options: { history: { maxTotalBytes: 60_000 } },
    press: (bus) => {
      for (let n = 0; n < 600; n++) {
        bus.publish(`other-${n}`, {});
        bus.end(`other-${n}`, { data: "x".repeat(1_000) });
      }
    },
  },
  "more sessions than there may be": {
    options: { maxSessions: 50 },
    press: (bus) => {
      for (let n = 0; n < 90; n++) bus.publish(`other-${n}`, {});
    },
  },
};

const ENDS = {
  "a bare end": {},
  "an end with a message": { status: "failed", message: "why" },
  "an end with data": { data: { report: "d".repeat(10_000) } },
} as const;

const CASES = Object.keys(PRESSURES).flatMap((pressure) =>
  Object.keys(ENDS).map((end) => ({ pressure, end })),
);

describe("an end is remembered", () => {
  test.each(CASES)("under $pressure: $end", async ({ pressure, end }) => {
    const { options, press } = PRESSURES[pressure]!;
    const bus = createEventBus(options);
    bus.publish("s", { message: "m" });
    const given: { status?: "failed"; data?: unknown } = ENDS[end as keyof typeof ENDS];
    expect(bus.end("s", given)).toBe(true);
    const seen = readEntries(bus, "s").at(-1)!.id;
    press(bus);
    for (const [how, comeBack] of Object.entries(COMING_BACK)) {
      expect([how, await comeBack(bus, "s", seen)]).toEqual([how, DONE[how] ?? 204]);
    }
    // Who has not seen it yet is told now, at its place, how it went.
    const entries = readEntries(bus, "s");
    expect(entries.at(-1)?.id).toBe(seen);
    expect(describeEvent(entries.at(-1)!)).toBe(`end ${given.status ?? "completed"}`);
    const last = entries.at(-1)!.event as { data?: unknown; cut?: boolean };
    if (given.data !== undefined && last.data === undefined) expect(last.cut).toBe(true);
    expect(await (await sseHandler(bus)(request("s"))).text()).toContain("event: end");
    expect(bus.publish("s", {})).toBe(false);
  });

  test("of a session that could not even be opened for lack of room", async () => {
    const bus = createEventBus({ maxSessions: 1, history: { maxTotalBytes: 4_096 } });
    bus.subscribe("busy", () => undefined);
    for (let n = 0; n < 10; n++) bus.publish("busy", { message: "x".repeat(1_000) });
    const reporter = bus.reporter("s");
    await reporter.end({ status: "failed", data: "x".repeat(2_000) });
    const entries = readEntries(bus, "s");
    expect(entries.map(describeEvent).at(-1)).toBe("end failed");
    for (const [how, comeBack] of Object.entries(COMING_BACK)) {
      expect([how, await comeBack(bus, "s", entries.at(-1)!.id)]).toEqual([how, DONE[how] ?? 204]);
    }
  });
});

describe("a bus with as many connections as there may be", () => {
  const LIMITS: Record<string, EventBusOptions> = {
    "in all": { maxFollowers: 2 },
    "to a session": { maxFollowersPerSession: 2 },
  };

  test.each(Object.keys(LIMITS))("(%s) tells who has seen the end so, and refuses others", async (limit) => {
    const bus = createEventBus(LIMITS[limit]);
    bus.publish("ended", {});
    bus.end("ended");
    const seen = readEntries(bus, "ended").at(-1)!.id;
    const full = limit === "in all" ? "busy" : "ended-too";
    bus.publish(full, {});
    for (let n = 0; n < 2; n++) void sseHandler(bus)(request(full));
    await settled();
    for (const [how, comeBack] of Object.entries(COMING_BACK)) {
      expect([how, await comeBack(bus, full, "")]).toEqual([how, FULL[how] ?? 429]);
      expect([how, await comeBack(bus, "ended", seen)]).toEqual([how, DONE[how] ?? 204]);
    }
    await bus.close();
  });

  test("to an ended session tells who has seen its end so, too", async () => {
    const bus = createEventBus({ maxFollowersPerSession: 1 });
    bus.publish("s", {});
    // A client that takes nothing holds its place beyond the end.
    const stalled = { send: () => undefined, close: () => undefined, bufferedAmount: 1 << 20 };
    followOverWebSocket(bus, "s", stalled);
    await settled();
    bus.end("s");
    const seen = readEntries(bus, "s").at(-1)!.id;
    for (const [how, comeBack] of Object.entries(COMING_BACK)) {
      expect([how, await comeBack(bus, "s", seen)]).toEqual([how, DONE[how] ?? 204]);
    }
    await bus.close();
  });
});

describe("what was lost before an end for which there is no room", () => {
  test.each([
    ["a session without a log", (bus: SessionEventBus) => void bus.reporter("s")],
    ["a session of one entry", (bus: SessionEventBus) => void bus.publish("s", { message: "1" })],
  ])("is told, of %s", (_what, begin) => {
    const bus = createEventBus({ history: { maxTotalBytes: 2_048 } });
    bus.subscribe("other", () => undefined);
    const seen: string[] = [];
    bus.subscribe("s", ({ event }) => {
      seen.push(event.t);
    });
    begin(bus);
    const agents = Array.from({ length: 12 }, (_, n) => `a${n}`);
    for (const agent of agents) bus.publish("other", { agent });
    const lost = agents.filter((message) => !bus.publish("s", { message })).length;
    expect(lost).toBeGreaterThan(0);
    const before = seen.length;
    bus.end("s");
    expect(seen.slice(before)).toEqual(["gap", "session_end"]);
  });
});
