import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createEventBus, type SessionEventBus } from "session-progress";
import { sseHandler } from "session-progress/fetch";
import { followOverWebSocket } from "session-progress/websocket";
import { eventually } from "../../support/eventually.ts";
import { settled } from "../../support/event-loop.ts";
import { heldBytes } from "../../support/memory.ts";
import { type Fill, MIB, ownText, roomyBus, SHAPES, TEXTS, warmUp } from "./bus.fills.ts";

// A limit in bytes is one of memory. So what is counted is near what is held, whatever data looks like.

/** Enough that it does not matter what the engine itself holds a little more or less of. */
const ENOUGH = 10 * MIB;
/** What remains of that, and what may be left of a bus that holds nothing any more. */
const NOISE = MIB;

const FILLS = [
  ...Object.entries(TEXTS).map(([what, put]) => ({ what, put, most: 2 })),
  ...Object.entries(SHAPES).map(([what, put]) => ({ what, put, most: 3 })),
];

function expectCounted(held: number, counted: number, most: number): void {
  expect(held).toBeLessThanOrEqual(most * counted + NOISE);
  expect(counted).toBeLessThanOrEqual(2 * held + NOISE);
}

describe.each(FILLS)("logs full of $what", { timeout: 120_000 }, ({ put, most }) => {
  test("are counted as what they hold, and hold nothing after close", async () => {
    await warmUp(put);
    const bus = roomyBus();
    const before = await heldBytes();
    for (let n = 0; bus.stats().bytes < ENOUGH && n < 500_000; n++) put(bus, n);
    const held = (await heldBytes()) - before;
    const counted = bus.stats().bytes;
    await bus.close();
    const left = (await heldBytes()) - before;
    expect(counted).toBeGreaterThanOrEqual(ENOUGH);
    expectCounted(held, counted, most);
    expect(bus.stats().bytes).toBe(0);
    expect(left).toBeLessThan(NOISE);
  });
});

describe("logs full of any mixture, three times over", () => {
  test(
    "hold at most three times what is counted, and count at most their limit",
    { timeout: 600_000 },
    async () => {
      const shape = fc.constantFrom(
        ...FILLS.map(({ what }) => what).filter((what) => !what.includes("owner")),
      );
      await fc.assert(
        fc.asyncProperty(
          fc.array(shape, { minLength: 1, maxLength: 3 }),
          fc.integer({ min: 20, max: 20_000 }),
          fc.integer({ min: 100_000, max: 8 * MIB }),
          fc.integer({ min: 5, max: 1_000 }),
          async (shapes, maxEvents, maxBytes, maxSessions) => {
            const fills = FILLS.filter(({ what }) => shapes.includes(what)).map(({ put }) => put);
            const sizes: number[] = [];
            for (const put of fills) sizes.push(await warmUp(put));
            const maxTotalBytes = 8 * MIB;
            const before = await heldBytes();
            const bus = createEventBus({ history: { maxEvents, maxBytes, maxTotalBytes }, maxSessions });
            const turns = (3 * maxTotalBytes) / sizes.reduce((sum, size) => sum + size, 0);
            let highest = 0;
            for (let n = 0; n < Math.min(turns, 100_000); n++) {
              for (const put of fills) put(bus, n);
              highest = Math.max(highest, bus.stats().bytes);
            }
            const held = (await heldBytes()) - before;
            const counted = bus.stats().bytes;
            await bus.close();
            const left = (await heldBytes()) - before;
            expect(highest).toBeLessThanOrEqual(maxTotalBytes);
            // What is left of sessions that were let go is bounded by their number.
            expect(held).toBeLessThanOrEqual(3 * counted + maxSessions * 2_000 + NOISE);
            expect(left).toBeLessThan(NOISE);
          },
        ),
        // Looking for a smaller counterexample takes minutes, and says little more.
        { numRuns: 8, endOnFailure: true },
      );
    },
  );
});

test("reporters that were let go leave nothing behind, however many there were", async () => {
  const bus = createEventBus();
  const make = (count: number): void => {
    for (let n = 0; n < count; n++) bus.reporter("s");
  };
  make(1_000);
  const before = await heldBytes();
  make(200_000);
  expect((await heldBytes()) - before).toBeLessThan(NOISE);
});

/** Follows `sessionId` in each way that encodes, to the end of what is there. */
async function followed(bus: SessionEventBus, sessionId: string): Promise<() => void> {
  const stop = new AbortController();
  for (const options of [{}, { filter: () => true }]) {
    const request = new Request(`http://localhost/?session_id=${sessionId}`, { signal: stop.signal });
    const reader = (await sseHandler(bus, options)(request)).body!.getReader();
    void (async () => {
      while (!(await reader.read()).done);
    })().catch(() => undefined);
  }
  const leave = followOverWebSocket(bus, sessionId, { send: () => undefined, close: () => undefined });
  await settled();
  return () => {
    leave();
    stop.abort();
  };
}

describe("a session that is followed and idle", { timeout: 120_000 }, () => {
  const LOGS: [what: string, put: Fill][] = [
    ["one large log", (bus, n) => bus.publish("s-0", { message: ownText(500, n) })],
    ["logs with data", (bus, n) => bus.publish(`s-${n % 50}`, { data: { n, text: ownText(300, n) } })],
  ];

  test.each(LOGS)("(%s) holds no second log beside what is counted", async (_what, put) => {
    await warmUp(put);
    const warm = roomyBus();
    for (let n = 0; n < 2_000; n++) put(warm, n);
    for (let n = 0; n < 50; n++) (await followed(warm, `s-${n}`))();
    await warm.close();
    const bus = roomyBus();
    const before = await heldBytes();
    for (let n = 0; bus.stats().bytes < ENOUGH; n++) put(bus, n);
    const leave: (() => void)[] = [];
    for (let n = 0; n < 50; n++) leave.push(await followed(bus, `s-${n}`));
    await eventually("all is read", () => bus.stats().followers === 150);
    const held = (await heldBytes()) - before;
    expectCounted(held, bus.stats().bytes, 2);
    for (const each of leave) each();
    await bus.close();
    expect((await heldBytes()) - before).toBeLessThan(NOISE);
  });
});

describe("what is let go", { timeout: 120_000 }, () => {
  const message = (n: number): string => ownText(2_000, n);

  test("by retention is held no more", async () => {
    const bus = createEventBus({ retentionMs: 10 });
    const before = await heldBytes();
    for (let n = 0; n < 4_000; n++) bus.publish(`s-${n % 40}`, { message: message(n) });
    expect((await heldBytes()) - before).toBeGreaterThan(6 * MIB);
    for (let n = 0; n < 40; n++) bus.end(`s-${n}`);
    await eventually("all have shrunk", () => bus.stats().sessions === 0);
    expect(bus.stats().bytes).toBeLessThan(40 * 512);
    expect((await heldBytes()) - before).toBeLessThan(NOISE);
    await bus.close();
  });

  test("by idleness is held no more", async () => {
    const bus = createEventBus({ idleMs: 10 });
    const before = await heldBytes();
    for (let n = 0; n < 4_000; n++) bus.publish(`s-${n % 40}`, { message: message(n) });
    await eventually("all have shrunk", () => bus.stats().sessions === 0);
    expect(bus.stats().bytes).toBeLessThan(40 * 512);
    expect((await heldBytes()) - before).toBeLessThan(NOISE);
    await bus.close();
  });

  test("for others is held no more, and takes little where it is remembered", async () => {
    const bus = createEventBus({ maxSessions: 1_000, history: { maxTotalBytes: 2 * MIB } });
    const before = await heldBytes();
    for (let n = 0; n < 20_000; n++) {
      bus.publish(`s-${n}`, { message: message(n) });
      if (n % 2 === 0) bus.end(`s-${n}`, { message: "done" });
    }
    expect(bus.stats().bytes).toBeLessThanOrEqual(2 * MIB);
    expect((await heldBytes()) - before).toBeLessThan(2 * 2 * MIB + 1_000 * 2_000 + NOISE);
    await bus.close();
    expect((await heldBytes()) - before).toBeLessThan(NOISE);
  });
});
