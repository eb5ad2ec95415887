import { describe, expect, test } from "vitest";
import { createEventBus, type SessionEventBus } from "session-progress";
import { sseHandler } from "session-progress/fetch";
import { expectAllTold, followInEveryWay } from "../../support/every-follower.ts";
import { FILTERED } from "../../support/filtered-followers.ts";
import { recordErrors } from "../../support/hooks.ts";

// Reading calls code that may have the same connection read: a filter that reports, the making of room. Each entry is
// still read once.

const FIRST = Array.from({ length: 10 }, (_, n) => `m${n}`);
const NEWS = Array.from({ length: 11 }, (_, n) => `n${n}`);

/** What a filter does when it is first asked, and what that adds to the log. */
const ACTS: [what: string, act: (bus: SessionEventBus) => void, news: string[]][] = [
  ["flushes", (bus) => void bus.flush(), []],
  ["reports and flushes", (bus) => (bus.publish("s", { message: "n0" }), void bus.flush()), ["n0"]],
  [
    "reports half a history",
    (bus) => {
      for (const message of NEWS) bus.publish("s", { message, agent: message });
    },
    NEWS,
  ],
  ["ends the session and flushes", (bus) => (bus.end("s"), void bus.flush()), []],
];

describe.each(Object.entries(FILTERED))("a filter over %s", (_adapter, follow) => {
  test.each(ACTS)("that %s while it is asked sees every entry go out once", async (_what, act, news) => {
    const bus = createEventBus({ history: { maxEvents: 20 } });
    recordErrors(bus);
    for (const message of FIRST) bus.publish("s", { message, agent: message });
    let asked = false;
    const told = await follow(bus, () => {
      const first = !asked;
      asked = true;
      if (first) act(bus);
      return true;
    });
    bus.end("s");
    expect((await told()).filter((word) => word !== "ready")).toEqual([...FIRST, ...news, "session_end"]);
  });
});

test("an ended log is read whole although there is no room for an encoding of it", async () => {
  const bus = createEventBus({ history: { maxTotalBytes: 480_000 } });
  const said = Array.from({ length: 400 }, (_, n) => String(n).padEnd(1_000));
  for (const message of said) bus.publish("s", { message });
  bus.end("s");
  const before = bus.stats().bytes;
  const witnesses = await followInEveryWay(bus, "s", { servers: true });
  await expectAllTold(witnesses, [...said, "end completed"]);
  expect(bus.stats().bytes).toBeGreaterThanOrEqual(before);
  expect(bus.stats().bytes).toBeLessThanOrEqual(480_000);
});

test("what is encoded is counted until it goes: never less than the log", async () => {
  const positions = 128 * 40;
  const bus = createEventBus({ history: { maxTotalBytes: positions * 260 + 1_020_000, maxBytes: 64 << 20 } });
  for (let n = 0; n < positions; n++) bus.publish("s", { message: String(n).padStart(100, "x") });
  const { epoch } = bus.reporter("s");
  await bus.flush();
  const before = bus.stats().bytes;
  const handle = sseHandler(bus);
  const counted: number[] = [];
  const bodies: (ReadableStream | null)[] = [];
  for (let segment = 0; segment < 39; segment++) {
    const url = `http://localhost/?session_id=s&last_event_id=${epoch}-${segment * 128 + 5}`;
    const response = await handle(new Request(url));
    bodies.push(response.body);
    counted.push(bus.stats().bytes);
  }
  expect(Math.min(...counted)).toBeGreaterThanOrEqual(before);
  for (const body of bodies) await body?.cancel();
  await bus.close();
});
