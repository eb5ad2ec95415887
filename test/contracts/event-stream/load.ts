import { describe, expect, test } from "vitest";
import { nextTurn } from "../../support/event-loop.ts";
import { accounted, dataOf, eventsIn } from "../../support/event-stream-client.ts";
import type { AdapterUnderTest } from "./adapter-under-test.ts";

/** Long streams, closing servers, followers that keep up and that do not. */
export function testLoad({ setUp }: AdapterUnderTest): void {
  describe("time and load", () => {
    test("maxStreamMs ends each response without an end", async () => {
      const { bus, follow, followAfter } = await setUp({ maxStreamMs: 40 });
      bus.publish("s", { message: "one" });
      const client = await follow();
      const blocks = await client.rest();
      await expect(client.over).resolves.toBe("end");
      expect(eventsIn(blocks)).toMatchObject([{ msg: "one" }]);
      bus.publish("s", { message: "two" });
      const back = await followAfter(blocks.at(-1)!.id!);
      expect(eventsIn(await back.rest())).toMatchObject([{ msg: "two" }]);
    });

    test("a closing server sends retry and no end; later requests get retry and are let go", async () => {
      const { bus, follow } = await setUp({ retryMs: 1_000 });
      bus.publish("s", { message: "one" });
      const client = await follow();
      await client.until("agent");
      await bus.close();
      const blocks = await client.rest();
      await expect(client.over).resolves.toBe("end");
      expect(blocks).toEqual([{ raw: `retry: ${blocks[0]!.retry}\n\n`, retry: expect.any(Number) }]);
      expect(blocks[0]!.retry).toBeGreaterThanOrEqual(1_000);
      expect(blocks[0]!.retry).toBeLessThanOrEqual(2_000);
      const late = await follow();
      expect(late.status).toBe(200);
      expect(late.headers["content-type"]).toBe("text/event-stream; charset=utf-8");
      expect((await late.rest()).map(({ retry }) => typeof retry)).toEqual(["number"]);
      await expect(late.over).resolves.toBe("end");
    });

    test("a follower that keeps reading sees every event of a long turn", async () => {
      const { bus, follow } = await setUp();
      const client = await follow();
      await client.until("ready");
      for (let n = 1; n <= 2_500; n++) bus.publish("s", { message: `m${n}`.padEnd(100, ".") });
      const blocks = await client.take(2_500);
      expect(new Set(blocks.map(({ event }) => event))).toEqual(new Set(["agent"]));
      expect(bus.stats().gaps).toBe(0);
    });

    test("a follower that stops reading lags, is told how much it missed, and sees the newest of each", async () => {
      const { bus, follow } = await setUp({}, { history: { maxEvents: 50 } });
      const { epoch } = bus.reporter("s");
      const client = await follow();
      await client.until("ready");
      client.pause();
      let head = 0;
      while (head < 24_000) {
        for (let n = 0; n < 400; n++) {
          head++;
          bus.publish("s", { agent: `agent ${head % 7}`, message: `m${head}`.padEnd(1_000, ".") });
        }
        await nextTurn();
      }
      client.resume();
      bus.end("s");
      const blocks = await client.rest();
      expect(blocks.at(-1)).toMatchObject({ id: `${epoch}-${head + 1}`, event: "end" });
      expect(accounted(blocks)).toBe(head + 1);
      expect(blocks.some(({ event }) => event === "gap")).toBe(true);
      const messages = new Set(eventsIn(blocks).map(({ msg }) => String(msg).replaceAll(".", "")));
      for (let n = 0; n < 7; n++) expect(messages).toContain(`m${head - n}`);
      let position = 0;
      for (const block of blocks) {
        const next = Number(block.id!.split("-")[1]);
        expect(next).toBe(position + (block.event === "gap" ? Number(dataOf(block)["missed"]) : 1));
        position = next;
      }
    });
  });
}
