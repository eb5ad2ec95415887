import express5 from "express";
import express4 from "express4";
import { Hono } from "hono";
import type { IncomingMessage } from "node:http";
import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { createEventBus, type EventBusOptions, type SessionEventBus } from "session-progress";
import { sseHandler as expressHandler } from "session-progress/express";
import { sseHandler as honoHandler } from "session-progress/hono";
import { type SseOptions, sseHandler } from "session-progress/node";
import { EventStreamClient } from "../../support/event-stream-client.ts";
import { serveFetch } from "../../support/fetch-server.ts";
import { cleanups } from "../../support/cleanups.ts";
import { serve } from "../../support/http-server.ts";

/** Options that need no request. */
type Options = Pick<SseOptions<IncomingMessage>, "keepAliveMs">;

const SERVERS: Record<string, (bus: SessionEventBus, options: Options) => ReturnType<typeof serveFetch>> = {
  "node:http": (bus, options) => serve(sseHandler(bus, options)),
  "Express 4": (bus, options) => serve(express4().get("/", expressHandler(bus, options))),
  "Express 5": (bus, options) => serve(express5().get("/", expressHandler(bus, options))),
  "Hono on Node": (bus, options) => {
    const app = new Hono().get("/", honoHandler(bus, options));
    return serveFetch((request, env) => app.fetch(request, env));
  },
};

const cleanUp = cleanups();

/** Position by position what a client was told; fails where one comes late, twice, or is missing without a gap. */
function expectOrder({ text }: EventStreamClient, head: number): void {
  let position = 0;
  const wrong: string[] = [];
  for (const [, id, event, missed = 0] of text.matchAll(
    /^id: \d+-(\d+)\nevent: (\w+)\ndata: (?:.*"missed":(\d+))?/gm,
  )) {
    if (event === "ready") continue;
    const expected = position + (event === "gap" ? Number(missed) : 1);
    position = Number(id);
    if (position !== expected) wrong.push(`${event} ${position} instead of ${expected}`);
  }
  expect(wrong).toEqual([]);
  expect(position).toBe(head);
}

describe.each(Object.keys(SERVERS))("on %s every follower sees positions in order", (name) => {
  async function setUp({
    followers = 1,
    ...options
  }: Options & EventBusOptions & { followers?: number } = {}) {
    const bus = createEventBus(options);
    const { origin, close } = await SERVERS[name]!(bus, options);
    cleanUp(close, () => bus.close());
    const follow = async (): Promise<EventStreamClient> => {
      const client = await EventStreamClient.open(`${origin}/?session_id=s`);
      cleanUp(() => client.close());
      return client;
    };
    const clients = await Promise.all(Array.from({ length: followers }, follow));
    for (const client of clients) await client.until("ready");
    let count = 0;
    /** Reports `events` of about `bytes`. */
    const report = (events: number, bytes: number): void => {
      const filler = "f".repeat(bytes);
      for (let n = 0; n < events; n++) bus.publish("s", { message: `${++count} ${filler}` });
    };
    /** Ends the session, and checks what everybody got. */
    const end = async (...also: EventStreamClient[]): Promise<void> => {
      bus.end("s");
      for (const client of [...clients, ...also]) {
        client.resume();
        expect(await client.over).toBe("end");
        expectOrder(client, count + 1);
      }
    };
    return { bus, client: clients[0]!, follow, report, end, sent: () => count };
  }

  test("in a burst that ends the session", async () => {
    const { bus, report, end } = await setUp();
    report(5_000, 200);
    await end();
    // A stream hands nothing on before the turn is over: what exceeds 1 MiB becomes a gap.
    if (!name.startsWith("Hono")) expect(bus.stats().gaps).toBe(0);
  });

  test("in a burst of large events", async () => {
    const { report, end } = await setUp();
    report(40, 60_000);
    await end();
  });

  test("with twenty followers", async () => {
    const { bus, report, end } = await setUp({ followers: 20 });
    for (let burst = 0; burst < 3; burst++) {
      report(1_500, 200);
      await turn();
    }
    await end();
    expect(bus.stats().gaps).toBe(0);
  });

  test("in bursts that follow each other, large and small", async () => {
    const { client, report, end, sent } = await setUp();
    for (let burst = 0; burst < 30; burst++) {
      report(1 + ((burst * 97) % 700), (burst * 131) % 900);
      report(burst % 3, 30_000);
      // Some in the same turn, some in the next, some when all has arrived.
      if (burst % 3 === 1) await turn();
      if (burst % 5 === 4) await client.until(({ id }) => Number(id?.split("-")[1]) === sent());
    }
    await end();
  });

  test("in bursts out of microtasks", async () => {
    const { bus, report, end } = await setUp({ history: { maxEvents: 50 } });
    for (let burst = 0; burst < 200; burst++) {
      report(1 + (burst % 40), 300);
      await (burst % 3 === 0 ? bus.flush() : Promise.resolve());
    }
    await end();
  });

  test("with keep-alives between the bursts", async () => {
    const { client, report, end } = await setUp({ keepAliveMs: 20 });
    for (let burst = 0; burst < 4; burst++) {
      report(1_000, 100);
      await client.until(({ comment }) => comment === "keep-alive");
    }
    await end();
  });

  test("when a follower comes in the middle of a burst", async () => {
    const { report, end, follow } = await setUp();
    const late: EventStreamClient[] = [];
    for (let n = 0; n < 5; n++) {
      report(150, 500);
      const coming = follow();
      for (let turns = 0; turns < 20; turns++) {
        report(5, 500);
        await turn();
      }
      late.push(await coming);
    }
    await end(...late);
  });

  test("when a follower stops reading and goes on later", async () => {
    const { bus, client, report, end } = await setUp();
    report(10, 100);
    await client.until(({ id }) => id?.endsWith("-10") === true);
    client.pause();
    for (let burst = 0; burst < 20; burst++) {
      report(1_000, 1_000);
      await turn();
    }
    await end();
    expect(bus.stats().gaps).toBeGreaterThan(0);
  });
});
