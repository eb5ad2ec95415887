import { expect, test } from "vitest";
import { createEventBus, type EventBusOptions, type SessionEventBus } from "session-progress";
import { hubOf } from "../../../src/bus/hub-of.ts";
import { type Session, type SessionState, TRANSITIONS } from "../../../src/bus/session.ts";

type Step = `${SessionState} → ${SessionState}`;

/** A bus, and every step that one of its sessions takes from state to state. */
function watched(options: EventBusOptions, steps: Step[]): SessionEventBus {
  const bus = createEventBus(options);
  const { registry } = hubOf(bus);
  const add = registry.add.bind(registry);
  registry.add = (id: string): Session => {
    const session = add(id);
    let { state } = session;
    Object.defineProperty(session, "state", {
      get: () => state,
      set: (to: SessionState) => {
        steps.push(`${state} → ${to}`);
        state = to;
      },
    });
    return session;
  };
  return bus;
}

/** What leads a session along each row of the table. Each gets a bus of its own. */
const WALKS: Record<string, { options?: EventBusOptions; walk: (bus: SessionEventBus) => unknown }> = {
  "a session that is awaited, reported to, ended, and begins anew": {
    walk: (bus) => {
      bus.subscribe("s", () => undefined);
      bus.publish("s", {});
      bus.end("s");
      return bus.open({ sessionId: "s" });
    },
  },
  "a follower that waits for nothing": { walk: (bus) => bus.subscribe("s", () => undefined)() },
  "a session that is open when the bus closes": { walk: (bus) => (bus.publish("s", {}), bus.close()) },
  "sessions that make room for each other, and come back": {
    options: { maxSessions: 1 },
    walk: (bus) => {
      bus.publish("s", {});
      bus.publish("t", {});
      bus.publish("s", {});
      bus.end("s");
      bus.publish("t", {});
    },
  },
  "sessions without room": {
    options: { maxSessions: 1 },
    walk: (bus) => {
      bus.subscribe("busy", () => undefined);
      bus.publish("busy", {});
      bus.subscribe("s", () => undefined);
      bus.publish("s", {});
      bus.end("s");
      for (const id of ["a", "b", "c"]) bus.publish(id, {});
    },
  },
  "a handle that outlives its stub and reports": {
    options: { maxSessions: 1 },
    walk: (bus) => {
      const reporter = bus.reporter("s");
      for (const id of ["a", "b", "c"]) bus.publish(id, {});
      expect(reporter.report({})).toBe(true);
    },
  },
  "a handle that outlives its stub and ends, without room": {
    options: { maxSessions: 1 },
    walk: async (bus) => {
      const reporter = bus.reporter("s");
      for (const id of ["a", "b"]) bus.publish(id, {});
      bus.subscribe("busy", () => undefined);
      bus.publish("busy", {});
      await reporter.end();
      for (const id of ["a", "b", "c"]) bus.end(id);
    },
  },
};

test("sessions walk every row of the table of transitions, and no other way", async () => {
  const steps: Step[] = [];
  for (const { options = {}, walk } of Object.values(WALKS)) {
    const bus = watched(options, steps);
    await walk(bus);
    await bus.close();
  }
  const rows = Object.entries(TRANSITIONS).flatMap(([from, tos]) =>
    tos.map((to) => `${from as SessionState} → ${to}` as const),
  );
  expect([...new Set(steps)].sort()).toEqual([...rows].sort());
});
