import { describe, expect, test } from "vitest";
import { createEventBus, type SessionEntry, type SessionEventBus } from "session-progress";
import { sseHandler } from "session-progress/fetch";
import { collect } from "session-progress/testing";
import { settled } from "../../support/event-loop.ts";
import { describeEvent, epochOf, positionsOf } from "../../support/events.ts";
import { recordDrops } from "../../support/hooks.ts";

/** What is in the log, also behind an end. */
async function logOf(bus: SessionEventBus, sessionId: string): Promise<SessionEntry[]> {
  const stop = new AbortController();
  const reading = collect(bus.follow(sessionId, { signal: stop.signal }));
  await settled();
  stop.abort();
  return reading;
}

function endOnError(bus: SessionEventBus): void {
  bus.on("error", (_error, sessionId) => {
    if (sessionId !== undefined) bus.end(sessionId, { status: "failed" });
  });
}

function request(lastEventId?: string): Request {
  const headers = lastEventId === undefined ? {} : { "Last-Event-ID": lastEventId };
  return new Request("http://localhost/?session_id=s", { headers });
}

describe("nothing gets into a log after its end", () => {
  test("when an error hook ends the session while a message is cut; the end's id is answered 204", async () => {
    const bus = createEventBus({ maxEventBytes: 1_024 });
    const drops = recordDrops(bus);
    endOnError(bus);
    bus.publish("s", { message: "one" });
    expect(bus.publish("s", { message: "x".repeat(2_000) })).toBe(false);
    const entries = await logOf(bus, "s");
    expect(entries.map(describeEvent)).toEqual(["one", "end failed"]);
    expect(drops).toEqual([["s", "ended"]]);
    expect((await sseHandler(bus)(request(entries.at(-1)!.id))).status).toBe(204);
  });

  test("when that message is the first of its session", async () => {
    const bus = createEventBus({ maxEventBytes: 1_024 });
    endOnError(bus);
    expect(bus.publish("s", { message: "x".repeat(2_000) })).toBe(false);
    expect((await logOf(bus, "s")).map(describeEvent)).toEqual(["end failed"]);
  });

  test("when a listener ends the session as it is told of a dropped gap", async () => {
    const bus = createEventBus({ maxSessions: 1 });
    const stop = bus.subscribe("busy", () => undefined);
    bus.publish("busy", {});
    expect(bus.publish("s", { message: "no room" })).toBe(false);
    bus.subscribe("s", ({ event }) => {
      if (event.t === "gap") bus.end("s");
    });
    stop();
    const drops = recordDrops(bus);
    expect(bus.publish("s", { message: "too late" })).toBe(false);
    expect(drops).toEqual([["s", "ended"]]);
    expect((await logOf(bus, "s")).map(describeEvent)).toEqual(["gap dropped 1", "end completed"]);
  });

  test("when a filter ends the session in the middle of a turn", async () => {
    const bus = createEventBus({ history: { maxEvents: 4 } });
    const handle = sseHandler(bus, {
      filter: ({ msg }) => {
        if (msg === "3") bus.end("s");
        return true;
      },
    });
    const text = (await handle(request())).text();
    const taken = Array.from({ length: 10 }, (_, n) => bus.publish("s", { message: `${n}` }));
    const count = taken.indexOf(false);
    expect(count).toBeGreaterThan(3);
    expect(taken.slice(count)).not.toContain(true);
    const entries = await logOf(bus, "s");
    expect(entries.filter(({ event }) => event.t === "session_end")).toEqual([entries.at(-1)]);
    expect(positionsOf(entries).at(-1)).toBe(count + 1);
    const events = (await text).match(/^event: .*$/gm)!;
    expect(events).toEqual(["event: ready", ...Array<string>(count).fill("event: agent"), "event: end"]);
    expect((await handle(request(entries.at(-1)!.id))).status).toBe(204);
  });

  test.each(["nobody has opened", "is a stub"])(
    "when a filter ends the session for which room is being made, and which %s",
    async (state) => {
      const bus = createEventBus({ maxSessions: 2 });
      bus.publish("busy", {});
      bus.subscribe("busy", () => undefined);
      if (state === "is a stub") {
        bus.publish("s", { message: "one" });
        bus.publish("other", {});
        bus.end("other");
      }
      const handle = sseHandler(bus, {
        filter: () => {
          bus.end("s");
          return true;
        },
      });
      const text = (await handle(new Request("http://localhost/?session_id=filtered"))).text();
      bus.publish("filtered", { message: "one" });
      bus.end("filtered");
      expect(bus.publish("s", { message: "two" })).toBe(false);
      const before = state === "is a stub" ? ["gap behind 1"] : [];
      expect((await logOf(bus, "s")).map(describeEvent)).toEqual([...before, "end completed"]);
      expect((await logOf(bus, "filtered")).map(describeEvent)).toEqual(["gap behind 1", "end completed"]);
      expect((await text).match(/^event: .*$/gm)).toEqual(["event: ready", "event: agent", "event: end"]);
      await bus.close();
      expect(bus.stats()).toMatchObject({ sessions: 0, bytes: 0 });
    },
  );

  test("when the error hook of a malformed report ends the session: no new incarnation begins", async () => {
    const bus = createEventBus();
    const drops = recordDrops(bus);
    endOnError(bus);
    bus.publish("s", { message: "one" });
    expect(bus.publish("s", { message: "two", progress: NaN })).toBe(false);
    const entries = await logOf(bus, "s");
    expect(entries.map(describeEvent)).toEqual(["one", "end failed"]);
    expect(epochOf(entries[0])).toBe(epochOf(entries[1]));
    expect(drops).toEqual([["s", "ended"]]);
  });

  test("when the error hook of a reporter's malformed report ends the session", async () => {
    const bus = createEventBus();
    endOnError(bus);
    const reporter = bus.reporter("s");
    expect(reporter.report({ message: "two", progress: NaN })).toBe(false);
    expect((await logOf(bus, "s")).map(describeEvent)).toEqual(["end failed"]);
  });
});
