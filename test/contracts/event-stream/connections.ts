import { once } from "node:events";
import type { Socket } from "node:net";
import { describe, expect, test, vi } from "vitest";
import { cleanups } from "../../support/cleanups.ts";
import { eventually } from "../../support/eventually.ts";
import { RawClient } from "../../support/raw-client.ts";
import type { AdapterUnderTest } from "./adapter-under-test.ts";

const GET = "GET /events?session_id=s HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n";

/** What one connection may cost, whoever is at its other end. */
export function testConnections({ http1, seesTurns, setUp }: AdapterUnderTest): void {
  const cleanUp = cleanups();

  async function connect(url: string): Promise<RawClient> {
    const client = await RawClient.connect(Number(new URL(url).port));
    cleanUp(() => client.close());
    return client;
  }

  describe.runIf(http1)("requests sent behind an open stream", () => {
    test.runIf(seesTurns)("wait for their turn, and are not asked about before", async () => {
      let asked = 0;
      const { bus, url } = await setUp({ authorize: () => ++asked > 0 });
      bus.publish("s", { message: "one" });
      const client = await connect(url);
      client.send(GET.repeat(3));
      await client.until("event: ready");
      const other = await connect(url);
      other.send(GET);
      await other.until("event: ready");
      expect(asked).toBe(2);
      expect(bus.stats().followers).toBe(2);
      bus.end("s");
      await client.until(/("session_end"[^]*){3}/);
      expect(asked).toBe(4);
    });

    test.runIf(seesTurns)("close their connection when they are many", async () => {
      let asked = 0;
      const { bus, url, errors } = await setUp({ authorize: () => ++asked > 0 });
      const client = await connect(url);
      client.send(GET);
      await client.until("event: ready");
      client.send(GET.repeat(5_000));
      await client.closed;
      await eventually("nobody follows", () => bus.stats().followers === 0);
      expect(asked).toBe(1);
      expect(errors).toEqual([]);
    });

    test.each(["close", "reset", "halfClose"] as const)("leave nothing behind: %s", async (leave) => {
      const { bus, url, follow } = await setUp({}, { maxFollowersPerSession: 40 });
      for (let round = 0; round < 10; round++) {
        const client = await connect(url);
        client.send(GET.repeat(20));
        await client.until("event: ready");
        client[leave]();
        await client.closed;
      }
      await eventually("nobody follows", () => bus.stats().followers === 0);
      expect((await follow()).status).toBe(200);
    });

    test.skipIf(seesTurns)("do not keep others out", async () => {
      const { url, follow } = await setUp({}, { maxFollowersPerSession: 40, maxFollowers: 40 });
      const client = await connect(url);
      client.send(GET.repeat(20));
      await client.until("event: ready");
      client.send(GET.repeat(100));
      expect((await follow()).status).toBe(200);
    });
  });

  test.runIf(http1)("a client that is cut off is no error of the server's", async () => {
    const printed = [vi.spyOn(console, "error"), vi.spyOn(console, "info"), vi.spyOn(console, "warn")];
    cleanUp(() => vi.restoreAllMocks());
    const { bus, url, errors } = await setUp({ writeDeadlineMs: 50 });
    for (let round = 0; round < 2; round++) {
      const client = await connect(url);
      client.send(GET);
      await client.until("event: ready");
      client.socket.pause();
      for (let n = 0; n < 8_000; n++) bus.publish("s", { message: ".".repeat(2_000) });
      await eventually("it is cut off", () => bus.stats().followers === 0);
      client.close();
    }
    for (const spy of printed) expect(spy.mock.calls).toEqual([]);
    expect(errors).toEqual([]);
  });

  test.runIf(http1 && seesTurns)("a server's idle timeout does not cut a quiet stream", async () => {
    const { url, server } = await setUp();
    server!.setTimeout(60_000);
    const connection = once(server!, "connection") as Promise<[Socket]>;
    const client = await connect(url);
    const [socket] = await connection;
    expect(socket.timeout).toBe(60_000);
    client.send(GET);
    await client.until("event: ready");
    expect(socket.timeout).toBe(0);
  });
}
