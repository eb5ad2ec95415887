import { describe, expect, test } from "vitest";
import { createEventBus, type EventBusOptions, type SessionEventBus } from "session-progress";
import type { SseOptions } from "session-progress/node";
import { cleanups } from "../support/cleanups.ts";
import { deferred } from "../support/deferred.ts";
import { nextTurn } from "../support/event-loop.ts";
import {
  accounted,
  type Block,
  type ClientRequest,
  type ClientTransport,
  dataOf,
  EventStreamClient,
  eventsIn,
  overHttp1,
} from "../support/event-stream-client.ts";
import { eventually } from "../support/eventually.ts";
import { waysToFail } from "../support/ways-to-fail.ts";

/** Options as every adapter takes them; the suite never looks into a request. */
export type ServeOptions = SseOptions<unknown>;

/** A server on a port of its own with the adapter under test at `url`, for any method. */
export interface Served {
  /** Where the adapter answers, without a query. */
  readonly url: string;
  /** Stops the server and cuts what is left of its connections. */
  close(): Promise<void>;
}

export type Serve = (bus: SessionEventBus, options?: ServeOptions) => Promise<Served>;

export interface Capabilities {
  /** The suite talks HTTP/1.1, so that there is a `Connection` header. Default `true`. */
  readonly http1?: boolean;
  /** The adapter is handed every method, so that 405 is its own answer. Default `true`. */
  readonly methodPassthrough?: boolean;
  /** How to reach the server. Default: plain HTTP/1.1. */
  readonly transport?: ClientTransport;
}

/** What the wire says of a session, whichever adapter serves it (PROTOCOL.md). */
export function testEventStream(name: string, serve: Serve, capabilities: Capabilities = {}): void {
  const { http1 = true, methodPassthrough = true, transport = overHttp1 } = capabilities;
  const cleanUp = cleanups();

  async function setUp(options?: ServeOptions, busOptions?: EventBusOptions) {
    const bus = createEventBus(busOptions);
    const errors: string[] = [];
    bus.on("error", (error) => errors.push(error.message));
    const served = await serve(bus, options);
    cleanUp(async () => {
      await bus.close();
      await served.close();
    });
    /** Follows session `s`, unless the query says otherwise. */
    const follow = async (
      query: Record<string, string> = {},
      { headers = {}, ...request }: ClientRequest = {},
    ): Promise<EventStreamClient> => {
      const url = `${served.url}?${new URLSearchParams({ session_id: "s", ...query }).toString()}`;
      const accept = { accept: "text/event-stream" };
      const client = await EventStreamClient.open(
        url,
        { ...request, headers: { ...accept, ...headers } },
        transport,
      );
      cleanUp(() => client.close());
      return client;
    };
    /** As an `EventSource` that comes back. */
    const followAfter = (lastEventId: string): Promise<EventStreamClient> =>
      follow({}, { headers: { "last-event-id": lastEventId } });
    return { bus, errors, follow, followAfter };
  }

  // No test waits for time to pass; the limit is for machines that are busy with something else.
  describe(`event stream: ${name}`, { timeout: 20_000 }, () => {
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
          `retry: ${ready.retry}\nid: 0-0\nevent: ready\ndata: {"t":"ready","resume":"fresh","keepAliveMs":15000}\n\n`,
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
        expect(gap!.raw).toBe(
          `id: ${epoch}-7\nevent: gap\ndata: {"t":"gap","reason":"behind","missed":6}\n\n`,
        );
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
        const unopened = await follow(
          { session_id: "nobody" },
          { headers: { "last-event-id": `${epoch}-3` } },
        );
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
  });
}
