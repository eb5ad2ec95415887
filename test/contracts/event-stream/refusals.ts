import { describe, expect, test } from "vitest";
import { dataOf, EventStreamClient } from "../../support/event-stream-client.ts";
import { eventually } from "../../support/eventually.ts";
import type { AdapterUnderTest } from "./adapter-under-test.ts";

/** Every answer but a stream. */
export function testRefusals({ setUp, http1, methodPassthrough }: AdapterUnderTest): void {
  describe("refusals", () => {
    const SECRET = "secret~session";

    async function expectProblem(client: EventStreamClient, status: number): Promise<void> {
      await client.over;
      expect(client.status).toBe(status);
      expect(client.headers["content-type"]).toBe("application/problem+json");
      expect(client.headers["cache-control"]).toBe("no-store");
      const problem = JSON.parse(client.text) as Record<string, unknown>;
      expect(problem).toMatchObject({ type: "about:blank", title: expect.any(String), status });
      expect(client.text).not.toContain(SECRET);
    }

    test.each([
      ["none", undefined],
      ["an empty one", ""],
      ["a line break", "a\r\nb"],
      ["a NUL", "a\0b"],
      ["a space", "a b"],
      ["a slash", "../etc"],
      ["too long", "x".repeat(129)],
      ["not ASCII", "sëssion"],
    ])("400: a session id that is %s", async (_, id) => {
      const { bus, follow } = await setUp({ session: id === undefined ? () => undefined : undefined });
      await expectProblem(await follow(id === undefined ? {} : { session_id: id }), 400);
      expect(bus.stats().followers).toBe(0);
    });

    test("400: two session ids, of which a router may have gone by the other", async () => {
      const { bus, url } = await setUp();
      bus.publish("a", { message: "one" });
      if (!http1) return;
      const { status } = await fetch(`${url}?session_id=a&session_id=b`);
      expect(status).toBe(400);
    });

    test.each([
      ["none", null],
      ["several", ["a", "b"]],
      ["one of a list", ["a"]],
      ["later none", Promise.resolve(null)],
      ["later several", Promise.resolve(["a", "b"])],
    ])("400: the session option says %s", async (_, answer) => {
      const { errors, follow } = await setUp({ session: () => answer });
      await expectProblem(await follow(), 400);
      expect(errors).toEqual([]);
    });

    test("200: the longest session id, and one that objects have as a property", async () => {
      const { bus, follow } = await setUp();
      for (const id of ["x".repeat(128), "A-Z.a_z:0~9", "__proto__", "constructor"]) {
        bus.publish(id, { message: "here" });
        const client = await follow({ session_id: id });
        expect(client.status).toBe(200);
        expect(dataOf((await client.until("agent")).at(-1))["msg"]).toBe("here");
      }
    });

    test("403: authorize says no", async () => {
      const { follow } = await setUp({ authorize: () => false });
      await expectProblem(await follow({ session_id: SECRET }), 403);
    });

    test("404: nobody has opened it, with mustExist", async () => {
      const { bus, follow } = await setUp({ mustExist: true });
      await expectProblem(await follow({ session_id: SECRET }), 404);
      bus.reporter(SECRET);
      expect((await follow({ session_id: SECRET })).status).toBe(200);
    });

    test.runIf(methodPassthrough).each(["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])(
      "405: %s, with Allow",
      async (method) => {
        const { follow } = await setUp();
        const client = await follow({ session_id: SECRET }, { method });
        await expectProblem(client, 405);
        expect(client.headers["allow"]).toBe("GET, HEAD");
      },
    );

    test.each([
      "application/json",
      "text/html, application/xhtml+xml",
      "text/event-stream;q=0",
      "text/event-stream; q=0.000, */*",
      "text/*;q=0, */*",
    ])("406: Accept: %s", async (accept) => {
      const { follow } = await setUp();
      await expectProblem(await follow({ session_id: SECRET }, { headers: { accept } }), 406);
    });

    test.each([
      "*/*",
      "text/*",
      "TEXT/Event-Stream",
      "text/html;q=0.9, text/event-stream;q=0.1",
      "application/json, */*;q=0.1",
      "",
    ])("200: Accept: %s", async (accept) => {
      const { follow } = await setUp();
      expect((await follow({}, { headers: { accept } })).status).toBe(200);
    });

    test("429: too many followers, of one session and of all", async () => {
      const { bus, follow } = await setUp({}, { maxFollowersPerSession: 2, maxFollowers: 3 });
      const clients = await Promise.all([follow({ session_id: SECRET }), follow({ session_id: SECRET })]);
      const refused = await follow({ session_id: SECRET });
      await expectProblem(refused, 429);
      expect(Number(refused.headers["retry-after"])).toBeGreaterThan(0);
      expect((await follow({ session_id: "other" })).status).toBe(200);
      await expectProblem(await follow({ session_id: "third" }), 429);
      clients[0].close();
      await eventually("there is room again", () => bus.stats().followers === 2);
      expect((await follow({ session_id: SECRET })).status).toBe(200);
    });

    test("HEAD answers the headers and follows nothing", async () => {
      const { bus, follow, followAfter } = await setUp();
      const client = await follow({}, { method: "HEAD" });
      expect(client.status).toBe(200);
      expect(client.headers["content-type"]).toBe("text/event-stream; charset=utf-8");
      await expect(client.over).resolves.toBe("end");
      expect(client.text).toBe("");
      expect(bus.stats().followers).toBe(0);
      expect((await follow({ session_id: "" }, { method: "HEAD" })).status).toBe(400);
      bus.publish("s", {});
      bus.end("s");
      const id = (await (await follow()).rest()).at(-1)!.id!;
      expect((await followAfter(id)).status).toBe(204);
    });
  });
}
