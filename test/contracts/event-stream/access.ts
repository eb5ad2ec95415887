import { describe, expect, test } from "vitest";
import { deferred } from "../../support/deferred.ts";
import { dataOf, eventsIn } from "../../support/event-stream-client.ts";
import { eventually } from "../../support/eventually.ts";
import { waysToFail } from "../../support/ways-to-fail.ts";
import type { AdapterUnderTest } from "./adapter-under-test.ts";

/** Who may follow what: `authorize`, `session`, `filter`, owners. */
export function testAccess({ setUp }: AdapterUnderTest): void {
  describe("authorize, session and filter", () => {
    test("authorize may answer at once or later", async () => {
      const asked: unknown[][] = [];
      const { bus, follow } = await setUp({
        authorize: (_request, sessionId, owner) => {
          asked.push([sessionId, owner]);
          return sessionId === "sync" ? true : Promise.resolve(true);
        },
      });
      bus.start(({ signal }) => new Promise((resolve) => signal.addEventListener("abort", resolve)), {
        sessionId: "async",
        owner: { id: 7 },
      });
      expect((await follow({ session_id: "sync" })).status).toBe(200);
      expect((await follow({ session_id: "async" })).status).toBe(200);
      expect(asked).toEqual([
        ["sync", null],
        ["async", { id: 7 }],
      ]);
    });

    test("what authorize refuses with is the answer", async () => {
      const { follow } = await setUp({
        authorize: () =>
          Promise.resolve({
            status: 401,
            title: "Log in first",
            detail: "No cookie came along.",
            headers: { "WWW-Authenticate": "Bearer" },
          }),
      });
      const client = await follow();
      await client.over;
      expect(client.status).toBe(401);
      expect(client.headers["www-authenticate"]).toBe("Bearer");
      expect(client.headers["content-type"]).toBe("application/problem+json");
      expect(JSON.parse(client.text)).toEqual({
        type: "about:blank",
        title: "Log in first",
        status: 401,
        detail: "No cookie came along.",
      });
    });

    test.each(waysToFail("database away"))("500 and the error hook: authorize %s", async (_, authorize) => {
      const { errors, follow } = await setUp({ authorize });
      const client = await follow();
      await client.over;
      expect(client.status).toBe(500);
      expect(client.text).not.toContain("database");
      expect(errors).toEqual(["database away"]);
    });

    test.each([
      ["a status that is no refusal", { status: 200 }],
      ["a header that cannot be sent", { status: 401, headers: { "WWW-Authenticate": "a\r\nb: c" } }],
      ["a body that is no JSON", { status: 401, detail: 1n as unknown as string }],
    ])("500 and the error hook: a refusal with %s", async (_, refusal) => {
      const { errors, follow } = await setUp({ authorize: () => refusal });
      const client = await follow();
      await client.over;
      expect(client.status).toBe(500);
      expect(errors).toHaveLength(1);
    });

    test.each(["authorize", "session"])("503 and the error hook: %s never answers", async (option) => {
      const { errors, follow } = await setUp({
        [option]: () => new Promise(() => {}),
        writeDeadlineMs: 30,
      });
      const client = await follow();
      await client.over;
      expect(client.status).toBe(503);
      expect(client.headers["retry-after"]).toBeDefined();
      expect(errors).toEqual([`\`${option}\` gave no answer within 30 ms`]);
    });

    test("a client that leaves while authorize thinks is not followed", async () => {
      const asked = deferred();
      const answer = deferred<boolean>();
      const { bus, errors, follow } = await setUp({
        authorize: () => {
          asked.resolve();
          return answer.promise;
        },
      });
      const controller = new AbortController();
      const request = follow({}, { signal: controller.signal });
      await asked.promise;
      controller.abort();
      await expect(request).rejects.toThrow();
      answer.resolve(true);
      await answer.promise;
      await eventually("nobody follows", () => bus.stats().followers === 0);
      expect(bus.stats().sessions).toBe(0);
      expect(errors).toEqual([]);
    });

    test("authorize is asked again when the owner has changed while it thought", async () => {
      const asked = deferred();
      const answer = deferred<boolean>();
      const owners: unknown[] = [];
      const { bus, follow } = await setUp({
        authorize: (_request, _id, owner) => {
          owners.push(owner);
          if (owners.length > 1) return owner === "alice" ? false : true;
          asked.resolve();
          return answer.promise;
        },
      });
      const request = follow();
      await asked.promise;
      bus.start(() => new Promise(() => {}), { sessionId: "s", owner: "alice" });
      answer.resolve(true);
      expect((await request).status).toBe(403);
      expect(owners).toEqual([null, "alice"]);
    });

    test("a session that gets an owner has its followers come back and be asked again", async () => {
      const owners: unknown[] = [];
      const { bus, follow, followAfter } = await setUp({
        authorize: (_request, _id, owner) => {
          owners.push(owner);
          return owner === null || owner === "bob";
        },
      });
      bus.publish("s", { message: "before" });
      const client = await follow();
      const id = (await client.until("agent")).at(-1)!.id!;
      bus.start(() => new Promise(() => {}), { sessionId: "s", owner: "bob" });
      expect(eventsIn(await client.rest())).toEqual([]);
      await expect(client.over).resolves.toBe("end");
      const back = await followAfter(id);
      await back.until("ready");
      bus.publish("s", { message: "bob sees this" });
      expect(dataOf(await back.next())["msg"]).toBe("bob sees this");
      bus.start(() => new Promise(() => {}), { sessionId: "s", owner: "carol" });
      await back.over;
      expect((await followAfter(id)).status).toBe(403);
      expect(owners).toEqual([null, "bob", "carol"]);
    });

    test("disconnect ends the streams that `where` picks, by what they came with", async () => {
      const requests: unknown[] = [];
      const { bus, follow } = await setUp({ authorize: (request) => requests.push(request) > 0 });
      bus.publish("s", { message: "one" });
      const first = await follow();
      const second = await follow();
      await Promise.all([first.until("agent"), second.until("agent")]);
      bus.disconnect("s", (request) => request === requests[0]);
      expect(eventsIn(await first.rest())).toEqual([]);
      await expect(first.over).resolves.toBe("end");
      bus.publish("s", { message: "two" });
      expect(dataOf(await second.next())["msg"]).toBe("two");
      bus.disconnect("s");
      await expect(second.over).resolves.toBe("end");
      await eventually("nobody follows", () => bus.stats().followers === 0);
    });

    test.each([
      ["at once", () => "chosen"],
      ["later", () => Promise.resolve("chosen")],
    ])("the session option says which session, %s", async (_, session) => {
      const { bus, follow } = await setUp({ session });
      bus.publish("chosen", { message: "here" });
      const client = await follow({ session_id: "another" });
      expect(dataOf((await client.until("agent")).at(-1))["msg"]).toBe("here");
    });

    test.each(waysToFail("no cookie"))("500 and the error hook: session %s", async (_, session) => {
      const { errors, follow } = await setUp({ session });
      expect((await follow()).status).toBe(500);
      expect(errors).toEqual(["no cookie"]);
    });

    test("what filter withholds moves the cursor and is no gap", async () => {
      const requests = new Set<unknown>();
      const { bus, follow, followAfter } = await setUp({
        authorize: (request) => {
          requests.add(request);
          return true;
        },
        filter: (event, request) => {
          expect(requests.has(request)).toBe(true);
          return event.agent !== "hidden";
        },
      });
      const client = await follow();
      await client.until("ready");
      const { epoch } = bus.reporter("s");
      for (const agent of ["a", "hidden", "b", "hidden"]) bus.publish("s", { agent });
      const { run, done } = bus.start(() => {}, { sessionId: "s", keepOpen: true });
      await done;
      bus.publish("s", { agent: "hidden" });
      bus.end("s");
      const blocks = await client.rest();
      expect(blocks.map(({ id, event }) => [id, event])).toEqual([
        [`${epoch}-1`, "agent"],
        [`${epoch}-3`, "agent"],
        [`${epoch}-5`, "run"],
        [`${epoch}-7`, "end"],
      ]);
      expect(dataOf(blocks[2])["run"]).toBe(run);
      expect(client.text).not.toContain("hidden");
      expect((await followAfter(`${epoch}-7`)).status).toBe(204);
      expect((await (await followAfter(`${epoch}-3`)).rest()).slice(1)).toEqual(blocks.slice(2));
    });

    test("filter admits on `true` only; anything but a boolean withholds and is told", async () => {
      const answers: Record<string, () => unknown> = {
        yes: () => true,
        no: () => false,
        nothing: () => undefined,
        one: () => 1,
        later: () => Promise.resolve(true),
        never: () => Promise.reject(new Error("too late")),
      };
      const { bus, errors, follow } = await setUp({ filter: ({ msg }) => answers[msg]!() as boolean });
      const client = await follow();
      await client.until("ready");
      for (const message of Object.keys(answers)) bus.publish("s", { message });
      bus.end("s");
      expect(eventsIn(await client.rest()).map(({ msg, t }) => msg ?? t)).toEqual(["yes", "session_end"]);
      const told = ["undefined", "1", "an object", "an object"].map(
        (got) => `Expected \`filter()\` to be a boolean, got ${got}`,
      );
      expect(errors).toEqual([...told, "too late"]);
    });

    test("a filter that throws withholds, and its error reaches the hook", async () => {
      const { bus, errors, follow } = await setUp({
        filter: (event) => {
          if (event.msg === "odd") throw new Error("filter failed");
          return true;
        },
      });
      const client = await follow();
      await client.until("ready");
      for (const message of ["even", "odd", "even"]) bus.publish("s", { message });
      bus.end("s");
      const blocks = await client.rest();
      expect(eventsIn(blocks).map(({ msg, t }) => msg ?? t)).toEqual(["even", "even", "session_end"]);
      expect(errors).toEqual(["filter failed"]);
    });
  });
}
