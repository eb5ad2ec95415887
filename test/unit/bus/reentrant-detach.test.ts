import { describe, expect, test } from "vitest";
import {
  createEventBus,
  createReporter,
  type Reporter,
  type SessionEntry,
  type SessionEvent,
  type SessionEventBus,
} from "session-progress";
import { sseHandler } from "session-progress/fetch";
import { followOverWebSocket } from "session-progress/websocket";
import { expectAllTold, followInEveryWay } from "../../support/every-follower.ts";
import { nextTurn, settled } from "../../support/event-loop.ts";
import { describeEvent } from "../../support/events.ts";
import { recordErrors } from "../../support/hooks.ts";
import { readEntries, recordEntries } from "../../support/session-entries.ts";

// Followers come and go, and sessions end, from inside of what is being delivered or reported.

describe("a listener that unsubscribes another", () => {
  /** When the first listener does it, seen from the second. */
  const MOMENTS: [when: string, after: string, is: (entry: SessionEntry) => boolean][] = [
    ["during its reset", "1-99", ({ event }) => event.t === "gap"],
    ["during its replay", "start", () => true],
    ["at a live event", "now", () => true],
    ["at the end", "now", ({ event }) => event.t === "session_end"],
  ];

  test.each(MOMENTS)("%s leaves none attached to nothing", (_when, after, is) => {
    const bus = createEventBus();
    bus.publish("s", { message: "before" });
    const heard: string[] = [];
    const stops: (() => void)[] = [];
    const stopAll = (): void => stops.forEach((stop) => stop());
    bus.subscribe("s", (entry) => (is(entry) ? stopAll() : undefined), { after });
    stops.push(bus.subscribe("s", (entry) => void heard.push(describeEvent(entry)), { after }));
    bus.publish("s", { message: "1" });
    stopAll();
    bus.publish("s", { message: "2" });
    bus.end("s");
    expect(heard).not.toContain("2");
    expect(bus.stats().followers).toBe(0);
  });

  test.each(MOMENTS)("itself, %s, hears nothing more and leaves nothing", (_when, after, is) => {
    const bus = createEventBus();
    bus.publish("s", { message: "before" });
    const control = new AbortController();
    const heard: string[] = [];
    const listener = (entry: SessionEntry): void => {
      heard.push(describeEvent(entry));
      if (is(entry)) control.abort();
    };
    bus.subscribe("s", listener, { after, signal: control.signal });
    bus.publish("s", { message: "1" });
    bus.publish("s", { message: "2" });
    bus.end("s");
    expect(heard.filter((word) => word === "2")).toHaveLength(_when === "at the end" ? 1 : 0);
    expect(bus.stats().followers).toBe(0);
  });

  test("that waits for a session is not called when that begins", async () => {
    const bus = createEventBus();
    const heard: string[] = [];
    const stops: (() => void)[] = [];
    for (const name of ["a", "b", "c"]) {
      stops.push(
        bus.subscribe("s", (entry) => {
          heard.push(`${name} ${describeEvent(entry)}`);
          for (const stop of stops) stop();
        }),
      );
    }
    bus.publish("s", { message: "1" });
    bus.publish("s", { message: "2" });
    expect(heard).toEqual(["a 1"]);
    expect(bus.stats().followers).toBe(0);
    await bus.close();
  });

  test("of a gap's first listener: others still hear everything", () => {
    const bus = createEventBus({ history: { maxEvents: 2 } });
    for (let n = 0; n < 5; n++) bus.publish("s", { message: `${n}` });
    const control = new AbortController();
    bus.on("gap", () => control.abort());
    const heard: string[] = [];
    bus.subscribe("s", () => undefined, { after: "start", signal: control.signal });
    bus.subscribe("s", (entry) => void heard.push(describeEvent(entry)), { after: "start" });
    expect(heard).toEqual(["gap behind 3", "3", "4"]);
    expect(bus.stats().followers).toBe(1);
  });

  test("in an iterator's or a stream's place: those that stop inside a delivery leave nothing", async () => {
    const bus = createEventBus();
    const iterator = bus.follow("s")[Symbol.asyncIterator]();
    const stop = new AbortController();
    await sseHandler(bus)(new Request("http://localhost/?session_id=s", { signal: stop.signal }));
    bus.subscribe("s", () => {
      void iterator.return?.();
      stop.abort();
      bus.disconnect("s");
    });
    bus.publish("s", {});
    await settled();
    expect(bus.stats().followers).toBe(1);
    bus.end("s");
    expect(bus.stats().followers).toBe(0);
    expect(await iterator.next()).toEqual({ done: true, value: undefined });
  });
});

/** Ways to follow session `s`, each with how to leave. */
const COMERS: Record<
  string,
  (bus: SessionEventBus, after?: string) => { told: string[]; leave: () => unknown }
> = {
  "a listener": (bus, after = "start") => {
    const told: string[] = [];
    return { told, leave: bus.subscribe("s", (entry) => void told.push(describeEvent(entry)), { after }) };
  },
  "an iterator": (bus, after = "start") => {
    const told: string[] = [];
    const iterator = bus.follow("s", { after })[Symbol.asyncIterator]();
    void (async () => {
      for (;;) {
        const { done, value } = await iterator.next();
        if (done === true) return;
        told.push(describeEvent(value));
      }
    })();
    return { told, leave: () => iterator.return?.() };
  },
  "an event stream": (bus, after = "") => {
    const told: string[] = [];
    const stop = new AbortController();
    const headers = { "Last-Event-ID": after };
    const request = new Request("http://localhost/?session_id=s", { signal: stop.signal, headers });
    void (async () => {
      for (const [, data] of (await (await sseHandler(bus)(request)).text()).matchAll(/^data: (.*)$/gm)) {
        const event = JSON.parse(data!) as SessionEvent | { t: "ready" };
        if (event.t !== "ready") told.push(describeEvent(event));
      }
    })().catch(() => undefined);
    return { told, leave: () => stop.abort() };
  },
  "a WebSocket": (bus, after = "") => {
    const told: string[] = [];
    const send = (message: string): void => {
      const { event } = JSON.parse(message) as { event: SessionEvent | { t: "ready" } };
      if (event.t !== "ready") told.push(describeEvent(event));
    };
    return { told, leave: followOverWebSocket(bus, "s", { send, close: () => undefined }, { after }) };
  },
};

describe.each(Object.entries(COMERS))("where nobody has opened a session, %s that is reset", (_how, come) => {
  test.each(Object.entries(COMERS))(
    "as %s leaves, the only other follower, is not attached to nothing",
    async (_who, first) => {
      const bus = createEventBus();
      const { leave } = first(bus);
      await settled();
      expect(bus.stats().followers).toBe(1);
      bus.on("gap", () => void leave());
      const { told } = come(bus, "1-99");
      await settled();
      bus.publish("s", { message: "1" });
      await settled();
      bus.end("s");
      await settled();
      expect(told).toEqual(["gap reset", "1", "end completed"]);
      expect(bus.stats()).toMatchObject({ followers: 0, gaps: 1 });
    },
  );

  test("leaves nothing when it leaves at once", async () => {
    const bus = createEventBus();
    const came: { leave: () => unknown }[] = [];
    bus.on("gap", () => came.forEach(({ leave }) => void leave()));
    came.push(come(bus, "1-99"));
    await settled();
    for (const { leave } of came) void leave();
    await settled();
    expect(bus.stats()).toMatchObject({ sessions: 0, followers: 0 });
    bus.publish("s", {});
    expect(bus.stats()).toMatchObject({ sessions: 1, followers: 0 });
  });
});

/** Reporters of session `s`, each ended by the code that it calls while it reads a report. */
const REPORTERS: Record<string, (bus: SessionEventBus) => { reporter: Reporter; end: () => unknown }> = {
  "bus.reporter": (bus) => {
    const reporter = bus.reporter("s");
    return { reporter, end: () => reporter.end({ status: "failed" }) };
  },
  "a tee": (bus) => {
    const reporter = createReporter(bus.sink("s"));
    return { reporter, end: () => reporter.end({ status: "failed" }) };
  },
  "bus.end": (bus) => ({ reporter: bus.reporter("s"), end: () => bus.end("s", { status: "failed" }) }),
  "a run": (bus) => {
    let reporter!: Reporter;
    bus.start(
      (context) => {
        reporter = context.reporter;
        return new Promise(() => undefined);
      },
      { sessionId: "s" },
    );
    return { reporter, end: () => reporter.end({ status: "failed" }) };
  },
  "a run that keeps its session open": (bus) => {
    let reporter!: Reporter;
    bus.start(
      (context) => {
        reporter = context.reporter;
        return new Promise(() => undefined);
      },
      { sessionId: "s", keepOpen: true },
    );
    return { reporter, end: () => reporter.end({ status: "failed" }) };
  },
};

/** Reports that call code when they are read. */
const READINGS: [what: string, make: (call: () => unknown) => object][] = [
  ["a toJSON", (call) => ({ message: "late", data: { toJSON: () => (call(), 1) } })],
  [
    "a getter in data",
    (call) => ({ message: "late", data: Object.defineProperty({}, "x", { get: call, enumerable: true }) }),
  ],
  ["a getter", (call) => Object.defineProperty({ data: 1 }, "message", { get: () => (call(), "late") })],
];

describe.each(Object.entries(REPORTERS))("a report that ends %s while it is read", (_how, make) => {
  test.each(READINGS)("by %s, leaves no event after the end", async (_what, reading) => {
    const bus = createEventBus();
    recordErrors(bus);
    const { reporter, end } = make(bus);
    const witnesses = await followInEveryWay(bus, "s");
    const drops: unknown[] = [];
    bus.on("drop", (id, reason) => void drops.push([id, reason]));
    reporter.report({ message: "before" });
    expect(reporter.report(reading(end))).toBe(false);
    expect(reporter.report({ message: "after" })).toBe(false);
    await nextTurn();
    bus.end("s", { status: "cancelled" });
    const said = readEntries(bus, "s").map(describeEvent);
    expect(said[0]).toBe("before");
    expect(said).not.toContain("late");
    expect(said.filter((word) => word.startsWith("end"))).toHaveLength(1);
    expect(said.at(-1)).toMatch(/^end/);
    for (const drop of drops) expect(drop).toEqual(["s", "ended"]);
    await expectAllTold(witnesses, said);
  });
});

describe("a report that ends its reporter while it is read", () => {
  test.each(READINGS)(
    "by %s, tells nothing to the other sinks of a tee after their end",
    (_what, reading) => {
      const told: string[] = [];
      const reporter: Reporter = createReporter({
        event: (event) => void told.push(describeEvent(event)),
        end: ({ status }) => void told.push(`end ${status}`),
      });
      expect(reporter.report(reading(() => reporter.end()))).toBe(false);
      expect(told).toEqual(["end completed"]);
    },
  );
});

describe("an end whose data ends the session while it is read", () => {
  test("is one end: the first that is written wins", async () => {
    const bus = createEventBus();
    const witnesses = await followInEveryWay(bus, "s");
    bus.publish("s", {});
    bus.end("s", { status: "failed", data: { toJSON: () => bus.end("s", { status: "cancelled" }) } });
    const entries = recordEntries(bus, "s");
    expect(entries.map(describeEvent).filter((word) => word.startsWith("end"))).toHaveLength(1);
    await expectAllTold(witnesses, entries.map(describeEvent));
  });
});
