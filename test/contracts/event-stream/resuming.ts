import { describe, expect, test } from "vitest";
import { type Block, dataOf, eventsIn } from "../../support/event-stream-client.ts";
import type { AdapterUnderTest } from "./adapter-under-test.ts";

/** What a last event ID gives. */
export function testResuming({ setUp }: AdapterUnderTest): void {
  describe("resuming", () => {
    const LENGTH = 12;

    async function withLog() {
      const { bus, ...rest } = await setUp();
      for (let n = 1; n < LENGTH; n++) bus.publish("s", { message: `m${n}` });
      const { epoch } = bus.reporter("s");
      return { bus, epoch: epoch!, ...rest };
    }

    test("at every position gives exactly what follows it", async () => {
      const { bus, epoch, follow, followAfter } = await withLog();
      bus.end("s");
      const whole = (await (await follow()).rest()).slice(1);
      expect(whole.map(({ id }) => id)).toEqual(
        Array.from({ length: LENGTH }, (_, index) => `${epoch}-${index + 1}`),
      );
      for (let position = 0; position < LENGTH; position++) {
        const client = await followAfter(`${epoch}-${position}`);
        const [ready, ...suffix] = await client.rest();
        expect(ready!.retry).toBeDefined();
        expect(ready!.id).toBe(`${epoch}-${position}`);
        expect(dataOf(ready)["resume"]).toBe(position === 0 ? "fresh" : "resumed");
        expect(suffix).toEqual(whole.slice(position));
      }
    });

    test("in the middle of a live session misses and repeats nothing", async () => {
      const { bus, epoch, follow } = await withLog();
      const seen: Block[] = [];
      let lastEventId = "";
      for (let round = 0; round < 5; round++) {
        const client = await follow({}, { headers: { "last-event-id": lastEventId } });
        for (let n = 0; n < 4; n++) bus.publish("s", { message: `round ${round}` });
        await client.until("ready");
        seen.push(...(await client.take(3)));
        lastEventId = seen.at(-1)!.id!;
        client.close();
      }
      expect(seen.map(({ id }) => id)).toEqual(seen.map((_, index) => `${epoch}-${index + 1}`));
    });

    test("204 on exactly the end's id, and on no other", async () => {
      const { bus, epoch, followAfter } = await withLog();
      const early = await followAfter(`${epoch}-${LENGTH - 1}`);
      expect(early.status).toBe(200);
      bus.end("s");
      expect((await early.rest()).at(-1)!.id).toBe(`${epoch}-${LENGTH}`);

      const after = await followAfter(`${epoch}-${LENGTH}`);
      expect(after.status).toBe(204);
      expect(await after.rest()).toEqual([]);
      expect(after.text).toBe("");
      expect(after.headers["content-type"]).toBeUndefined();
      expect(after.headers["cache-control"]).toBe("no-store");

      expect((await followAfter(`${epoch}-${LENGTH - 1}`)).status).toBe(200);
      expect((await followAfter(`${epoch}-${LENGTH + 1}`)).status).toBe(200);
      expect((await followAfter(`1${epoch}-${LENGTH}`)).status).toBe(200);
    });

    test("the header is asked first, then the query, in both of its words", async () => {
      const { epoch, follow } = await withLog();
      const [inQuery, inHeader] = [`${epoch}-3`, `${epoch}-7`];
      for (const name of ["last_event_id", "lastEventId"]) {
        const byQuery = await follow({ [name]: inQuery });
        expect((await byQuery.next()).id, name).toBe(inQuery);
        const byHeader = await follow({ [name]: inQuery }, { headers: { "last-event-id": inHeader } });
        expect((await byHeader.next()).id, name).toBe(inHeader);
        const byEmptyHeader = await follow({ [name]: inQuery }, { headers: { "last-event-id": "" } });
        expect((await byEmptyHeader.next()).id, name).toBe(inQuery);
      }
      const both = await follow({ last_event_id: inQuery, lastEventId: inHeader });
      expect((await both.next()).id).toBe(inQuery);
    });

    test("an id that means nothing here is told once, then the log is read from its start", async () => {
      const { bus, epoch, follow, followAfter } = await withLog();
      const foreign = bus.reporter("other").epoch!;
      bus.publish("other", { message: "secret" });
      const meaningless = [
        `${foreign}-1`,
        `${epoch}-${LENGTH}`,
        `${epoch}-999999999999999`,
        `${epoch}-9999999999999999999999`,
        `${epoch}-1x`,
        `${epoch}--1`,
        `${epoch}-1.5`,
        `${epoch}-0x1`,
        epoch,
        "-1",
        "1",
        "nonsense",
        "x".repeat(5_000),
      ];
      for (const id of meaningless) {
        const client = await followAfter(id);
        const [ready, gap, first] = await client.take(3);
        expect(dataOf(ready), id).toMatchObject({ resume: "reset" });
        expect(ready!.id).toBe(`${epoch}-0`);
        expect(gap!.raw).toBe(`id: ${epoch}-0\nevent: gap\ndata: {"t":"gap","reason":"reset"}\n\n`);
        expect(first!.id).toBe(`${epoch}-1`);
        client.close();
      }
      const unopened = await follow({ session_id: "nobody" }, { headers: { "last-event-id": `${epoch}-3` } });
      const [ready, gap] = await unopened.take(2);
      expect([ready!.id, gap!.id]).toEqual(["0-0", "0-0"]);
      expect(dataOf(ready)["resume"]).toBe("reset");
    });

    test("n = 0 and an empty id have seen nothing yet: fresh, in whichever incarnation", async () => {
      const { epoch, follow, followAfter } = await withLog();
      for (const id of [`${epoch}-0`, "0-0", "123-0"]) {
        const [ready, first] = await (await followAfter(id)).take(2);
        expect(dataOf(ready)["resume"]).toBe("fresh");
        expect([ready!.id, first!.id]).toEqual([`${epoch}-0`, `${epoch}-1`]);
      }
      const ready = await (await follow({ last_event_id: "" })).next();
      expect(dataOf(ready)["resume"]).toBe("fresh");
    });

    test("into the next incarnation of an ended session is a reset", async () => {
      const { bus, epoch, followAfter } = await withLog();
      bus.end("s");
      await bus.open({ sessionId: "s" });
      const next = bus.reporter("s");
      next.report({ message: "anew" });
      expect(BigInt(next.epoch!)).toBeGreaterThan(BigInt(epoch));
      const client = await followAfter(`${epoch}-${LENGTH}`);
      expect(client.status).toBe(200);
      const [ready, gap, first] = await client.take(3);
      expect(dataOf(ready)["resume"]).toBe("reset");
      expect(dataOf(gap)).toEqual({ t: "gap", reason: "reset" });
      expect(first!.id).toBe(`${next.epoch}-1`);
    });

    test("a follower of the old incarnation gets its end, also when the new one begins in the same turn", async () => {
      const { bus, follow } = await withLog();
      const client = await follow();
      await client.until("ready");
      await client.take(LENGTH - 1);
      bus.end("s", { message: "old" });
      bus.start(({ reporter }) => reporter.report({ message: "new" }), { sessionId: "s" });
      const blocks = await client.rest();
      expect(eventsIn(blocks)).toMatchObject([{ t: "session_end", msg: "old" }]);
    });
  });
}
