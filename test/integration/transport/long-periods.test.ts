import { Hono } from "hono";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { createEventBus, type SessionEventBus } from "session-progress";
import { sseHandler as fetchHandler } from "session-progress/fetch";
import { sseHandler as honoHandler } from "session-progress/hono";
import { sseHandler as nodeHandler } from "session-progress/node";
import { followOverWebSocket } from "session-progress/websocket";
import { deferred } from "../../support/deferred.ts";
import { EventStreamClient } from "../../support/event-stream-client.ts";
import { eventually } from "../../support/eventually.ts";
import { serve } from "../../support/http-server.ts";

// Node's timers take at most 2^31 - 1 ms, and take more for 1 ms. A period that is longer is meant to be long.

const PERIODS = [2 ** 31 - 1, 2 ** 31, 2 ** 31 + 1, 2 ** 40, Number.MAX_SAFE_INTEGER];
const SHORT_MS = 20;

interface Times {
  keepAliveMs?: number;
  writeDeadlineMs?: number;
  maxStreamMs?: number;
}

interface Stream {
  /** Everything received. */
  text(): string;
  over(): boolean;
}

/** Follows session `s` and reads on, over each adapter. */
const ADAPTERS: Record<string, (bus: SessionEventBus, times: Times) => Promise<Stream>> = {
  fetch: async (bus, times) => reading(await fetchHandler(bus, times)(ask())),
  hono: async (bus, times) => reading(await new Hono().get("/", honoHandler(bus, times)).request(ask())),
  node: async (bus, times) => {
    const server = await serve(nodeHandler(bus, times));
    onTestFinished(() => server.close());
    const client = await EventStreamClient.open(`${server.origin}/?session_id=s`);
    let isOver = false;
    void client.over.then(() => (isOver = true));
    return { text: () => client.text, over: () => isOver };
  },
};

function ask(): Request {
  return new Request("http://localhost/?session_id=s");
}

function reading(response: Response): Stream {
  let text = "";
  let isOver = false;
  const decoder = new TextDecoder();
  void (async () => {
    for await (const chunk of response.body!) text += decoder.decode(chunk, { stream: true });
    isOver = true;
  })();
  return { text: () => text, over: () => isOver };
}

/** A WebSocket whose other end takes nothing, or everything. */
function socket(bufferedAmount: number): {
  closed: number[];
  send(): void;
  close(code?: number): void;
  bufferedAmount: number;
} {
  const closed: number[] = [];
  return { closed, bufferedAmount, send: () => undefined, close: (code) => void closed.push(code ?? 0) };
}

function setUp(): { bus: SessionEventBus; warnings: unknown[] } {
  const warnings: unknown[] = [];
  vi.spyOn(process, "emitWarning").mockImplementation((...args: unknown[]) => void warnings.push(args));
  const bus = createEventBus();
  onTestFinished(async () => {
    vi.restoreAllMocks();
    await bus.close();
  });
  return { bus, warnings };
}

const CASES = Object.keys(ADAPTERS).flatMap((adapter) => PERIODS.map((ms) => ({ adapter, ms })));

describe("a period of", () => {
  test.each(CASES)(
    "$ms ms is long: for keep-alives and for streams, over $adapter",
    async ({ adapter, ms }) => {
      const { bus, warnings } = setUp();
      const follow = ADAPTERS[adapter]!;
      const long = await follow(bus, { keepAliveMs: ms, writeDeadlineMs: ms, maxStreamMs: ms });
      const short = await follow(bus, { keepAliveMs: SHORT_MS });
      const ending = await follow(bus, { maxStreamMs: SHORT_MS });
      await eventually("keep-alives", () => (short.text().match(/^: keep-alive$/gm) ?? []).length >= 3);
      await eventually("the end of a short stream", ending.over);
      expect(long.text()).not.toContain("keep-alive");
      expect(long.over()).toBe(false);
      bus.publish("s", { message: "m" });
      bus.end("s");
      await eventually("the end", long.over);
      expect(long.text()).toContain("event: end");
      expect(warnings).toEqual([]);
    },
  );

  test.each(PERIODS)("%d ms is long for a client that takes nothing", async (ms) => {
    const { bus, warnings } = setUp();
    const [patient, hasty] = [socket(1 << 20), socket(1 << 20)];
    followOverWebSocket(bus, "s", patient, { writeDeadlineMs: ms, maxStreamMs: ms });
    followOverWebSocket(bus, "s", hasty, { writeDeadlineMs: SHORT_MS });
    const handle = fetchHandler(bus, { writeDeadlineMs: ms });
    const stalled = await handle(ask());
    for (let n = 0; n < 20; n++) bus.publish("s", { message: "x".repeat(100_000) });
    await eventually("the hasty one is cut off", () => hasty.closed.length > 0);
    expect(hasty.closed).toEqual([4008]);
    expect(patient.closed).toEqual([]);
    expect(bus.stats().followers).toBe(2);
    const text = stalled.text();
    patient.bufferedAmount = 0;
    bus.end("s");
    await eventually("the patient one is told of the end", () => patient.closed.length > 0);
    expect(patient.closed).toEqual([1000]);
    expect(await text).toContain("event: end");
    expect(warnings).toEqual([]);
  });

  test.each(PERIODS)("%d ms is long for `session` and `authorize` to answer in", async (ms) => {
    const { bus, warnings } = setUp();
    const held = deferred<string>();
    const options = {
      writeDeadlineMs: ms,
      session: () => held.promise,
      authorize: async () => (await held.promise) === "s",
    };
    const answer = fetchHandler(bus, options)(ask());
    // As long as another takes that is not waited for.
    const hasty = fetchHandler(bus, {
      writeDeadlineMs: SHORT_MS,
      session: () => new Promise(() => undefined),
    })(ask());
    expect((await hasty).status).toBe(503);
    held.resolve("s");
    expect((await answer).status).toBe(200);
    expect(warnings.filter((args) => String(args).includes("Timeout"))).toEqual([]);
  });

  test.each(PERIODS)("%d ms is long to keep what has ended, or is idle", async (ms) => {
    const bus = createEventBus({ retentionMs: ms, idleMs: ms });
    const witness = createEventBus({ retentionMs: SHORT_MS, idleMs: SHORT_MS });
    for (const each of [bus, witness]) {
      for (const id of ["ended", "idle"]) each.publish(id, { message: "m" });
      each.end("ended");
    }
    await eventually("the witness has let go", () => witness.stats().sessions === 0);
    expect(bus.stats().sessions).toBe(2);
    await bus.close();
    await witness.close();
  });
});
