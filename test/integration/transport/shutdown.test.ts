import { spawn } from "node:child_process";
import { once } from "node:events";
import type { Server } from "node:http";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import type { SessionEventBus } from "session-progress";
import { cleanups } from "../../support/cleanups.ts";
import { EventStreamClient } from "../../support/event-stream-client.ts";
import { eventually, within } from "../../support/eventually.ts";
import { watchTimers } from "../../support/live-timers.ts";
import { RawClient } from "../../support/raw-client.ts";
import { serveEvents } from "../../support/sse-server.ts";

const RETRY_MS = 1_000;
/** Nobody's patience in a deployment; the point is that it is not for ever. */
const GENEROUS_MS = 50_000;

const cleanUp = cleanups();

async function setUp() {
  const timers = watchTimers();
  cleanUp(timers.stop);
  const server = await serveEvents({ retryMs: RETRY_MS });
  cleanUp(server.close);
  return { ...server, timers };
}

/** A follower of `stalled` that reads nothing after its first words. */
async function stall(port: number): Promise<RawClient> {
  const client = await RawClient.connect(port);
  cleanUp(() => client.close());
  client.get("/?session_id=stalled");
  await client.until("event: ready");
  client.socket.pause();
  return client;
}

/** More than kernel buffers take of one turn. */
function fill(bus: SessionEventBus): void {
  const message = ".".repeat(2_000);
  for (let n = 0; n < 4_000; n++) bus.publish("stalled", { message });
}

async function closeServer(server: Server): Promise<void> {
  const closed = once(server, "close");
  server.close();
  await closed;
}

function sockets(): number {
  return process.getActiveResourcesInfo().filter((type) => type.startsWith("TCP")).length;
}

test("with a hundred followers, some stalled, nothing is left and nobody is told of an end", async () => {
  const socketsBefore = sockets();
  const { bus, server, origin, port, responses, timers } = await setUp();
  const healthy: EventStreamClient[] = [];
  for (let n = 0; n < 80; n++) healthy.push(await EventStreamClient.open(`${origin}/?session_id=s${n % 7}`));
  // These would use their connection again.
  const raw: RawClient[] = [];
  for (let n = 0; n < 10; n++) {
    const client = await RawClient.connect(port);
    cleanUp(() => client.close());
    raw.push(client.get("/?session_id=s0"));
    await client.until("event: ready");
  }
  const stalled: RawClient[] = [];
  for (let n = 0; n < 10; n++) stalled.push(await stall(port));
  bus.publish("s0", { message: "the last words" });
  fill(bus);
  expect(bus.stats().followers).toBe(100);
  expect(timers.count()).toBeGreaterThan(0);

  await within("bus.close()", GENEROUS_MS, bus.close());
  expect(bus.stats()).toMatchObject({ followers: 0, sessions: 0, bytes: 0 });
  await within("server.close()", GENEROUS_MS, closeServer(server));

  const retries: number[] = [];
  for (const client of healthy) {
    await expect(client.over).resolves.toBe("end");
    const blocks = await client.rest();
    expect(blocks.map(({ event }) => event)).not.toContain("end");
    retries.push(blocks.at(-1)!.retry!);
  }
  for (const retry of retries) {
    expect(retry).toBeGreaterThanOrEqual(RETRY_MS);
    expect(retry).toBeLessThanOrEqual(2 * RETRY_MS);
  }
  // All of them at the same millisecond would be the herd that this prevents.
  expect(new Set(retries).size).toBeGreaterThan(20);
  for (const client of raw) {
    await client.closed;
    expect(client.received).toContain("the last words");
    expect(client.received).toMatch(/retry: \d+\n\n\r\n0\r\n\r\n$/);
  }
  for (const client of stalled) client.socket.resume();
  await Promise.all(stalled.map(({ closed }) => closed));

  await eventually("no timer of ours is left", () => timers.count() === 0);
  await eventually("no socket is left", () => sockets() === socketsBefore);
  for (const res of responses) expect(res.closed || res.destroyed).toBe(true);
});

test("a stalled follower that was let go before is no reason to wait for its write deadline", async () => {
  const { bus, server, port, timers } = await setUp();
  await stall(port);
  fill(bus);
  bus.disconnect("stalled");
  expect(bus.stats().followers).toBe(0);
  await within("bus.close()", GENEROUS_MS, bus.close());
  await within("server.close()", GENEROUS_MS, closeServer(server));
  await eventually("no timer of ours is left", () => timers.count() === 0);
});

test("a request that comes after close is sent away with a reconnection time", async () => {
  const { bus, origin, server } = await setUp();
  bus.publish("s", { message: "one" });
  await bus.close();
  const client = await EventStreamClient.open(`${origin}/?session_id=s`);
  expect(client.status).toBe(200);
  expect(client.headers["content-type"]).toBe("text/event-stream; charset=utf-8");
  const blocks = await client.rest();
  expect(blocks).toEqual([{ raw: `retry: ${blocks[0]!.retry}\n\n`, retry: expect.any(Number) }]);
  expect(bus.stats().followers).toBe(0);
  await within("server.close()", GENEROUS_MS, closeServer(server));
});

test("the grace keeps a process alive that has nothing else left", async () => {
  const script = fileURLToPath(new URL("../../support/closing-process.ts", import.meta.url));
  const child = spawn(process.execPath, ["--import", "tsx", script], {
    env: { ...process.env, NODE_OPTIONS: "" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let printed = "";
  child.stdout.on("data", (text: Buffer) => (printed += text.toString()));
  const [code] = (await once(child, "close")) as [number | null];
  expect({ code, printed }).toEqual({ code: 0, printed: "closed: cancelled\n" });
});

test("no timer runs while nobody follows and nothing is kept", async () => {
  const { bus, origin, timers } = await setUp();
  expect(timers.count()).toBe(0);
  const client = await EventStreamClient.open(`${origin}/?session_id=nobody-opened-it`);
  await client.until("ready");
  expect(timers.count()).toBe(1);
  client.close();
  await eventually("the follower has left", () => bus.stats().followers === 0);
  await eventually("its timer is gone", () => timers.count() === 0);
});

test("connections that are used again gather no listeners", async () => {
  const { bus, port, responses } = await setUp();
  const client = await RawClient.connect(port);
  cleanUp(() => client.close());
  const counts: number[] = [];
  for (let round = 0; round < 5; round++) {
    await bus.open({ sessionId: "s" });
    bus.publish("s", { message: `round ${round}` });
    client.received = "";
    client.get("/?session_id=s");
    await client.until(`round ${round}`);
    bus.end("s");
    await client.until("\r\n0\r\n\r\n");
    const { socket } = responses[round]!.req;
    counts.push(socket.eventNames().reduce((sum, name) => sum + socket.listenerCount(name), 0));
  }
  expect(new Set(counts).size).toBe(1);
});
