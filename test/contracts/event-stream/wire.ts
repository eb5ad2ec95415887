import { describe, expect, test } from "vitest";
import { dataOf, eventsIn } from "../../support/event-stream-client.ts";
import { eventually } from "../../support/eventually.ts";
import type { AdapterUnderTest } from "./adapter-under-test.ts";

/** The bytes of a stream, block by block. */
export function testWire({ setUp, http1, keepAliveMs }: AdapterUnderTest): void {
  describe("the wire", () => {
    test("headers, and ready with the reconnection time, come before anything happened", async () => {
      const { follow } = await setUp();
      const client = await follow();
      expect(client.status).toBe(200);
      expect(client.headers).toMatchObject({
        "content-type": "text/event-stream; charset=utf-8",
        "cache-control": "no-cache, no-transform",
        "x-accel-buffering": "no",
      });
      expect(client.headers["connection"]).toBe(http1 ? "keep-alive" : undefined);
      expect(client.headers["content-encoding"]).toBeUndefined();
      const ready = await client.next();
      expect(ready.raw).toBe(
        `retry: ${ready.retry}\nid: 0-0\nevent: ready\ndata: {"t":"ready","resume":"fresh","keepAliveMs":${keepAliveMs}}\n\n`,
      );
      expect(ready.retry).toBeGreaterThanOrEqual(1_800);
      expect(ready.retry).toBeLessThanOrEqual(2_200);
    });

    test.runIf(http1)("`Connection` is the server's: who asks for `close` is told `close`", async () => {
      const { follow } = await setUp();
      const client = await follow({}, { headers: { connection: "close" } });
      await client.until("ready");
      expect(client.headers["connection"]).toBe("close");
    });

    test("every block, byte for byte", async () => {
      const { bus, follow } = await setUp({ keepAliveMs: 20_000, retryMs: 0 });
      const sink = bus.sink("s");
      bus.publish("s", {
        agent: "codesmith",
        phase: "think",
        message: "Analyzing architecture",
        progress: 0.35,
      });
      bus.publish("s", { progress: 3, total: 4, data: { file: "a.ts" } });
      bus.publish("s", { progress: 5, total: null });
      sink.event({ t: "gap", reason: "dropped", lost: 3 });
      const { run, done } = bus.start(() => "kept open", {
        sessionId: "s",
        keepOpen: true,
        result: (value) => ({ value }),
      });
      await done;
      bus.end("s", { status: "failed", message: "No disk left", data: [1] });

      const client = await follow();
      await client.over;
      const epoch = /^id: (\d+)-0$/m.exec(client.text)![1]!;
      expect(BigInt(epoch)).toBeGreaterThan(0n);
      expect(BigInt(epoch)).toBeLessThan(2n ** 62n);
      const times = [...client.text.matchAll(/"ts":"([^"]*)"/g)].map(([, ts]) => ts!);
      expect(times.every((ts) => new Date(ts).toISOString() === ts)).toBe(true);
      expect(client.text.replaceAll(epoch, "E").replaceAll(/"ts":"[^"]*"/g, '"ts":"T"')).toBe(
        [
          'retry: 0\nid: E-0\nevent: ready\ndata: {"t":"ready","resume":"fresh","keepAliveMs":20000}\n\n',
          'id: E-1\nevent: agent\ndata: {"t":"agent_event","agent":"codesmith","phase":"think","msg":"Analyzing architecture","pct":0.35,"ts":"T"}\n\n',
          'id: E-2\nevent: agent\ndata: {"t":"agent_event","agent":"agent","phase":"progress","msg":"","pct":0.75,"ts":"T","progress":3,"total":4,"data":{"file":"a.ts"}}\n\n',
          'id: E-3\nevent: agent\ndata: {"t":"agent_event","agent":"agent","phase":"progress","msg":"","ts":"T","progress":5}\n\n',
          'id: E-4\nevent: gap\ndata: {"t":"gap","reason":"dropped","lost":3}\n\n',
          `id: E-5\nevent: run\ndata: {"t":"run_end","run":"${run}","status":"completed","ts":"T","data":{"value":"kept open"}}\n\n`,
          'id: E-6\nevent: end\ndata: {"t":"session_end","status":"failed","msg":"No disk left","ts":"T","data":[1]}\n\n',
        ].join(""),
      );
      await expect(client.over).resolves.toBe("end");
    });

    test("what was compacted away is a gap, at the position before the next event", async () => {
      const { bus, follow, followAfter } = await setUp({}, { history: { maxEvents: 4 } });
      bus.publish("s", { agent: "early", message: "kept: the newest of its agent" });
      for (let n = 2; n <= 10; n++) bus.publish("s", { message: `m${n}` });
      const client = await follow();
      const [ready, first, gap, next] = await client.take(4);
      const epoch = ready!.id!.split("-")[0]!;
      expect(first!.id).toBe(`${epoch}-1`);
      expect(gap!.raw).toBe(`id: ${epoch}-7\nevent: gap\ndata: {"t":"gap","reason":"behind","missed":6}\n\n`);
      expect(next!.id).toBe(`${epoch}-8`);
      expect(dataOf(next)["msg"]).toBe("m8");

      const back = await followAfter(`${epoch}-4`);
      const [again, rest] = await back.take(2);
      expect(dataOf(again)).toMatchObject({ resume: "resumed" });
      expect(rest!.raw).toBe(
        `id: ${epoch}-7\nevent: gap\ndata: {"t":"gap","reason":"behind","missed":3}\n\n`,
      );
      expect(bus.stats().gaps).toBe(2);
    });

    test("unicode and line breaks in messages arrive as they were", async () => {
      const { bus, follow } = await setUp();
      const messages = [
        "naïve 日本語 🧪 \u2028 \u2029 \uFEFF",
        "a\nb\r\nc\rd\n\nevent: end\ndata: forged\n\n",
        "\0\u001F",
        "é".repeat(20_000),
        "half a surrogate: \uD83D",
      ];
      const client = await follow();
      for (const message of messages) bus.publish("s", { message });
      bus.end("s");
      const blocks = await client.rest();
      const events = eventsIn(blocks);
      expect(events.map(({ msg }) => msg)).toEqual([...messages, undefined]);
      expect(events.at(-1)).toMatchObject({ t: "session_end" });
    });

    test("events of one turn arrive in one write", async () => {
      const { bus, follow } = await setUp();
      const client = await follow();
      await client.until("ready");
      const before = client.chunks.length;
      for (let n = 1; n <= 20; n++) bus.publish("s", { message: `m${n}` });
      await client.take(20);
      expect(client.chunks.slice(before)).toHaveLength(1);
    });

    test("two followers of one session see the same, one of another session nothing of it", async () => {
      const { bus, follow } = await setUp();
      const [one, other, elsewhere] = await Promise.all([
        follow(),
        follow(),
        follow({ session_id: "elsewhere" }),
      ]);
      await Promise.all([one.until("ready"), other.until("ready"), elsewhere.until("ready")]);
      for (let n = 1; n <= 5; n++) bus.publish("s", { message: `m${n}` });
      bus.end("s");
      bus.publish("elsewhere", { message: "its own" });
      bus.end("elsewhere");
      const seen = await Promise.all([one.rest(), other.rest(), elsewhere.rest()]);
      expect(seen[0]).toHaveLength(6);
      expect(seen[1]).toEqual(seen[0]);
      expect(eventsIn(seen[2])).toMatchObject([{ msg: "its own" }, { t: "session_end" }]);
      expect(elsewhere.text).not.toContain("m1");
    });

    test("a follower that comes first has position 0-0, makes no session and joins the incarnation", async () => {
      const { bus, follow, followAfter } = await setUp();
      const client = await follow();
      const ready = await client.next();
      expect(ready.id).toBe("0-0");
      expect(bus.stats()).toMatchObject({ sessions: 0, followers: 1 });
      const { epoch } = bus.reporter("s");
      bus.publish("s", { message: "first" });
      expect((await client.next()).id).toBe(`${epoch}-1`);
      client.close();
      const back = await followAfter("0-0");
      const [again, first] = await back.take(2);
      expect(dataOf(again)).toMatchObject({ resume: "fresh" });
      expect(first!.id).toBe(`${epoch}-1`);
    });

    test("nothing is left of a session that was only followed", async () => {
      const { bus, follow } = await setUp();
      const client = await follow();
      await client.until("ready");
      client.close();
      await eventually("the follower is gone", () => bus.stats().followers === 0);
      expect(bus.stats()).toMatchObject({ sessions: 0, bytes: 0 });
    });

    test("comments keep a silent stream alive", async () => {
      const { bus, follow } = await setUp({ keepAliveMs: 20 });
      const client = await follow();
      expect(dataOf((await client.until("ready")).at(-1))).toMatchObject({ keepAliveMs: 20 });
      const comments = await client.take(3);
      expect(comments.map(({ raw }) => raw)).toEqual(Array(3).fill(": keep-alive\n\n"));
      bus.publish("s", { message: "still there" });
      expect((await client.until("agent")).at(-1)!.data).toContain("still there");
    });
  });
}
