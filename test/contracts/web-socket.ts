import { describe, expect, test } from "vitest";
import {
  createEventBus,
  type EventBusOptions,
  type SessionEntry,
  type SessionEventBus,
} from "session-progress";
import type { WebSocketOptions } from "session-progress/websocket";
import { cleanups } from "../support/cleanups.ts";
import { nextTurn } from "../support/event-loop.ts";
import { eventually } from "../support/eventually.ts";
import { RawWebSocket } from "../support/raw-web-socket.ts";

/** Follows session `s` of `bus` over every WebSocket that comes, after the query's `after`. */
export type ServeWebSockets = (
  bus: SessionEventBus,
  options?: WebSocketOptions,
) => Promise<{ /** `ws://127.0.0.1:<port>` */ readonly origin: string; close(): unknown }>;

/** What clients may rely on, whichever server's sockets they are (PROTOCOL.md, "WebSocket"). */
export function testWebSocket(
  name: string,
  serve: ServeWebSockets,
  { pings }: { /** Whether the server's sockets have pings. */ readonly pings: boolean },
): void {
  describe(`WebSocket: ${name}`, { timeout: 30_000 }, () => {
    const cleanUp = cleanups();

    async function setUp(options?: WebSocketOptions, busOptions?: EventBusOptions) {
      const bus = createEventBus(busOptions);
      const { origin, close } = await serve(bus, options);
      cleanUp(async () => {
        await bus.close();
        await close();
      });
      const follow = (after = ""): RawWebSocket => {
        const client = new RawWebSocket(`${origin}/?after=${after}`);
        cleanUp(() => client.leave());
        return client;
      };
      return { bus, follow };
    }

    test("one message an entry, an end, and a close; whoever has seen it is told that it was the end", async () => {
      const { bus, follow } = await setUp();
      const client = follow();
      await client.has(1);
      for (const message of ["one", "two"]) bus.publish("s", { message });
      bus.end("s");
      expect(await client.closed).toEqual([1000, "end"]);
      expect(words(client)).toEqual(["0 ready", "1 one", "2 two", "3 session_end"]);
      const back = follow(client.entries[1]!.id);
      expect(await back.closed).toEqual([1000, "end"]);
      expect(words(back)).toEqual(["1 ready", "2 two", "3 session_end"]);
      const again = follow(client.entries.at(-1)!.id);
      expect(await again.closed).toEqual([1000, "end"]);
      expect(again.entries).toEqual([]);
    });

    test("a silent one is kept alive, and keeps its place", async () => {
      const { bus, follow } = await setUp({ keepAliveMs: 20 });
      bus.publish("s", { message: "one" });
      const client = follow();
      const [ready, one] = await client.has(2);
      expect(ready!.event).toMatchObject(pings ? { t: "ready" } : { t: "ready", keepAliveMs: 20 });
      if (pings) {
        await eventually("pings", () => client.pings >= 3);
        expect(client.entries).toHaveLength(2);
        expect(ready!.event).not.toHaveProperty("keepAliveMs");
      } else {
        for (const entry of (await client.has(5)).slice(2)) {
          expect(entry).toEqual({ id: one!.id, event: { t: "ping" } });
        }
      }
      bus.publish("s", { message: "two" });
      await eventually("it goes on", () => words(client).includes("2 two"));
    });

    test("a client that stops reading loses nothing without a gap", async () => {
      const { bus, follow } = await setUp();
      const client = follow();
      await client.has(1);
      client.pause();
      for (let n = 1; n <= 1_000; n++) {
        bus.publish("s", { message: "x".repeat(60_000) });
        if (n % 10 === 0) await nextTurn();
      }
      bus.end("s");
      await nextTurn();
      client.resume();
      expect(await client.closed).toEqual([1000, "end"]);
      expectNoHoles(client.entries, 1_001);
    });

    test("nor does one that keeps up with a large turn", async () => {
      const { bus, follow } = await setUp({}, { history: { maxEvents: 20 } });
      const client = follow();
      await client.has(1);
      for (let n = 1; n <= 60; n++) bus.publish("s", { message: "x".repeat(10_000) });
      bus.end("s");
      expect(await client.closed).toEqual([1000, "end"]);
      expectNoHoles(client.entries, 61);
      expect(client.entries).toHaveLength(62);
    });

    test("whoever leaves is followed no more", async () => {
      const { bus, follow } = await setUp();
      const client = follow();
      await client.has(1);
      expect(bus.stats().followers).toBe(1);
      client.leave();
      await eventually("nobody follows", () => bus.stats().followers === 0);
    });

    test("disconnect and close tell the client to come back", async () => {
      const { bus, follow } = await setUp();
      const first = follow();
      await first.has(1);
      bus.disconnect("s");
      expect(await first.closed).toEqual([4000, "reconnect"]);
      const second = follow();
      await second.has(1);
      await bus.close();
      expect(await second.closed).toEqual([4001, "closing"]);
    });
  });
}

function words({ entries }: RawWebSocket): string[] {
  return entries.map(({ id, event }) => `${id.split("-")[1]} ${"msg" in event ? event.msg : event.t}`);
}

/** Every position up to `head` came, or was told by a gap. */
function expectNoHoles(entries: readonly SessionEntry[], head: number): void {
  let position = 0;
  for (const { id, event } of entries.slice(1)) {
    const next = Number(id.split("-")[1]);
    expect(next).toBe(position + (event.t === "gap" ? event.missed! : 1));
    position = next;
  }
  expect(position).toBe(head);
}
