import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { setTimeout } from "node:timers/promises";
import type { EventBusOptions, SessionEventBus } from "session-progress";
import type { SseOptions } from "session-progress/node";
import { cleanups } from "../../support/cleanups.ts";
import { nextTurn } from "../../support/event-loop.ts";
import { eventually } from "../../support/eventually.ts";
import { heldBytes } from "../../support/memory.ts";
import { RawClient } from "../../support/raw-client.ts";
import { RemoteReaders } from "../../support/remote-readers.ts";
import { serveEvents } from "../../support/sse-server.ts";

const MiB = 1 << 20;
const MANY = 200_000;
const AGENTS = 5;
/** A position that is not reached: resolves when the stream is over. */
const NEVER = Number.MAX_SAFE_INTEGER;

let readers: RemoteReaders;
const cleanUp = cleanups();

beforeAll(async () => {
  readers = await RemoteReaders.start();
});

afterAll(() => readers.stop());

async function setUp(busOptions?: EventBusOptions, sseOptions?: SseOptions<IncomingMessage>) {
  const server = await serveEvents(sseOptions, busOptions);
  cleanUp(server.close);
  return { ...server, url: `${server.origin}/?session_id=s` };
}

/** Reports `count` events of about `bytes`, `perTurn` in each turn. */
async function reportMany(
  bus: SessionEventBus,
  count: number,
  bytes: number,
  perTurn: number,
): Promise<void> {
  const filler = ".".repeat(bytes - 150);
  for (let n = 0; n < count; n++) {
    bus.publish("s", {
      agent: `agent ${n % AGENTS}`,
      phase: n % 2 === 0 ? "think" : "result",
      message: filler,
    });
    if (n % perTurn === perTurn - 1) await nextTurn();
  }
  await nextTurn();
}

/** The newest position of each agent and phase after `reportMany`. */
function newest(count: number): Record<string, number> {
  const positions: Record<string, number> = {};
  for (let n = Math.max(0, count - 2 * AGENTS); n < count; n++) {
    positions[`agent ${n % AGENTS} ${n % 2 === 0 ? "think" : "result"}`] = n + 1;
  }
  return positions;
}

describe("a follower that stops reading", () => {
  const shapes = [
    ["in one turn", MANY, undefined],
    ["over many turns", 100, undefined],
    ["over many turns, with a small history", 100, { maxEvents: 20, maxBytes: 16_384 }],
  ] as const;

  test.each(shapes)(
    "costs less than 2 MiB beyond the history, then catches up: %s",
    async (_, perTurn, history) => {
      const costOf = async (stalled: boolean) => {
        const { bus, url } = await setUp({ history });
        bus.reporter("s");
        const reader = stalled ? await readers.open(url, { stalled }) : undefined;
        const before = await heldBytes();
        await reportMany(bus, MANY, 500, perTurn);
        return { bus, reader, cost: (await heldBytes()) - before };
      };
      await costOf(false); // Warms up.
      const alone = await costOf(false);
      const { bus, reader, cost } = await costOf(true);
      expect(bus.stats()).toMatchObject({ followers: 1, events: MANY });
      expect(cost - alone.cost).toBeLessThan(2 * MiB);

      await reader!.resume();
      const summary = await reader!.reached(MANY);
      expect(summary.received + summary.missed).toBe(MANY);
      expect(summary.position).toBe(MANY);
      expect(summary.gaps).toBeGreaterThan(0);
      expect(summary.newest).toEqual(newest(MANY));
      expect(bus.stats().gaps).toBe(summary.gaps);
    },
    60_000,
  );

  test("is cut off at the write deadline and resumes later", async () => {
    const { bus, url } = await setUp({}, { writeDeadlineMs: 200 });
    const reader = await readers.open(url, { stalled: true });
    await reportMany(bus, 20_000, 1_000, 500);
    await eventually("it was cut off", () => bus.stats().followers === 0);

    await reader.resume();
    const first = await reader.reached(NEVER);
    expect(first.over).toBe("cut");
    expect(first.position).toBeLessThan(20_000);

    const back = await readers.open(url, { headers: { "last-event-id": first.lastEventId } });
    const second = await back.reached(20_000);
    expect(first.received + first.missed + second.received + second.missed).toBe(20_000);
    expect(second.newest).toEqual(newest(20_000));
  });

  test("is not cut off as long as it takes something within each deadline", async () => {
    const writeDeadlineMs = 600;
    const { bus, port, responses } = await setUp({}, { writeDeadlineMs });
    const client = await RawClient.connect(port);
    client.get("/?session_id=s");
    await client.until("event: ready");
    client.socket.pause();
    await reportMany(bus, 8_000, 2_000, 8_000);
    const [res] = responses;
    expect(res!.writableLength).toBeGreaterThan(MiB / 2);
    for (let round = 0; round < 3; round++) {
      // Its pace: by the second round more than the deadline has passed since the burst.
      await setTimeout(writeDeadlineMs * 0.7);
      const before = res!.writableLength;
      while (before > 0 && res!.writableLength >= before) {
        client.socket.resume();
        await once(client.socket, "data");
        client.socket.pause();
        await nextTurn();
      }
    }
    expect(res!.destroyed).toBe(false);
    expect(bus.stats().followers).toBe(1);

    // From now on it takes nothing.
    await reportMany(bus, 8_000, 2_000, 8_000);
    await eventually("it was cut off", () => bus.stats().followers === 0);
    expect(res!.destroyed).toBe(true);
    client.close();
  });

  test("is cut off also when its connection was to be ended", async () => {
    const { bus, url, server } = await setUp({}, { writeDeadlineMs: 200 });
    const reader = await readers.open(url, { stalled: true });
    await reportMany(bus, 10_000, 1_000, 10_000);
    bus.disconnect("s");
    bus.end("s");
    expect(bus.stats().followers).toBe(0);
    const closed = once(server, "close");
    server.close();
    await closed;
    await reader.resume();
    expect((await reader.reached(NEVER)).over).toBe("cut");
  });

  test("does not hold up others of the same session", async () => {
    const { bus, url } = await setUp();
    const stalled = await readers.open(url, { stalled: true });
    const healthy = await readers.open(url);
    for (let round = 1; round <= 20; round++) {
      await reportMany(bus, 1_000, 500, 250);
      await healthy.reached(round * 1_000);
    }
    expect(await healthy.reached(20_000)).toMatchObject({ received: 20_000, gaps: 0 });
    await stalled.resume();
    const summary = await stalled.reached(20_000);
    expect(summary.received + summary.missed).toBe(20_000);
  });
});

describe("a follower that keeps reading sees no gap", () => {
  const COUNT = 5_000;

  test.each([
    ["one follower", 1, undefined],
    ["twenty followers", 20, undefined],
    ["one follower, a small history", 1, { maxEvents: 10, maxBytes: 8_192 }],
    ["twenty followers, a small history", 20, { maxEvents: 20, maxBytes: 16_384 }],
    ["one follower, a history of one event", 1, { maxEvents: 1 }],
  ] as const)(
    "%s, 5,000 events in one turn",
    async (_, followers, history) => {
      const { bus, url } = await setUp({ history });
      const all = await Promise.all(Array.from({ length: followers }, () => readers.open(url)));
      await reportMany(bus, COUNT, 200, COUNT);
      for (const reader of all) {
        expect(await reader.reached(COUNT)).toMatchObject({ received: COUNT, missed: 0, gaps: 0 });
      }
      expect(bus.stats().gaps).toBe(0);
    },
    60_000,
  );

  test("also when the bus is flushed in the middle of a turn", async () => {
    const { bus, url } = await setUp();
    const reader = await readers.open(url);
    for (let n = 0; n < COUNT; n++) {
      bus.publish("s", { message: ".".repeat(250) });
      if (n % 100 === 99) void bus.flush();
    }
    expect(await reader.reached(COUNT)).toMatchObject({ received: COUNT, gaps: 0 });
  });
});
