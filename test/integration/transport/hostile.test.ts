import type { IncomingMessage, ServerResponse } from "node:http";
import express from "express";
import { describe, expect, test } from "vitest";
import { createEventBus, type EventBusOptions, isSessionProgressError } from "session-progress";
import { sseHandler as expressHandler } from "session-progress/express";
import { type SseOptions, sseHandler } from "session-progress/node";
import { cleanups } from "../../support/cleanups.ts";
import { deferred } from "../../support/deferred.ts";
import { nextTurn } from "../../support/event-loop.ts";
import { EventStreamClient, eventsIn } from "../../support/event-stream-client.ts";
import { eventually } from "../../support/eventually.ts";
import { serve } from "../../support/http-server.ts";
import { heldBytes } from "../../support/memory.ts";
import { RawClient } from "../../support/raw-client.ts";

const cleanUp = cleanups();

async function setUp(options?: SseOptions<IncomingMessage>, busOptions?: EventBusOptions) {
  const warnings: string[] = [];
  const warned = (warning: Error): void => void warnings.push(warning.message);
  process.on("warning", warned);
  const bus = createEventBus(busOptions);
  const errors: string[] = [];
  bus.on("error", (error) => errors.push(error.message));
  const handle = sseHandler(bus, options);
  const responses: ServerResponse[] = [];
  const { connections, origin, port, close } = await serve((req, res) => {
    responses.push(res);
    handle(req, res);
  });
  cleanUp(async () => {
    process.off("warning", warned);
    await bus.close();
    await close();
    expect(warnings).toEqual([]);
  });
  const connect = async (): Promise<RawClient> => {
    const client = await RawClient.connect(port);
    cleanUp(() => client.close());
    return client;
  };
  const nobodyFollows = (): Promise<void> => eventually("nobody follows", () => bus.stats().followers === 0);
  return { bus, connections, errors, responses, origin, port, connect, nobodyFollows };
}

describe("clients that leave", { timeout: 20_000 }, () => {
  test.each(["close", "reset", "halfClose"] as const)("before there is an answer: %s", async (leave) => {
    const asked = deferred();
    const answer = deferred<boolean>();
    const { bus, errors, responses, connect } = await setUp({
      authorize: () => {
        asked.resolve();
        return answer.promise;
      },
    });
    const client = await connect();
    client.get("/?session_id=s");
    await asked.promise;
    client[leave]();
    const [res] = responses;
    await eventually("the server knows", () => res!.destroyed || res!.socket?.writable === false);
    answer.resolve(true);
    await nextTurn();
    await client.closed;
    await eventually("nobody follows", () => bus.stats().followers === 0);
    expect(bus.stats().sessions).toBe(0);
    expect(errors).toEqual([]);
  });

  test("in the same packet as the request", async () => {
    const { bus, connections, connect, nobodyFollows } = await setUp();
    bus.publish("s", { message: "one" });
    for (let round = 0; round < 50; round++) {
      const client = await connect();
      client.socket.end("GET /?session_id=s HTTP/1.1\r\nHost: localhost\r\n\r\n");
      await client.closed;
    }
    await nobodyFollows();
    await eventually("no connection is left", () => connections() === 0);
  });

  test.each(["close", "reset"] as const)("during a long replay: %s", async (leave) => {
    const { bus, errors, connect, nobodyFollows } = await setUp();
    for (let n = 0; n < 1_000; n++) bus.publish("s", { message: ".".repeat(1_000) });
    for (let round = 0; round < 20; round++) {
      const client = await connect();
      client.get("/?session_id=s");
      await client.until("event: ready");
      client[leave]();
      await client.closed;
    }
    await nobodyFollows();
    expect(errors).toEqual([]);
  });

  test("with only their half of the connection", async () => {
    const { bus, connect, nobodyFollows } = await setUp();
    bus.publish("s", { message: "one" });
    const client = await connect();
    client.get("/?session_id=s");
    await client.until("event: agent");
    client.halfClose();
    await client.closed;
    await nobodyFollows();
  });

  test("with only their half, and they stop reading: cut off at the write deadline", async () => {
    const { bus, connections, connect, nobodyFollows } = await setUp({ writeDeadlineMs: 100 });
    const client = await connect();
    client.get("/?session_id=s");
    await client.until("event: ready");
    client.socket.pause();
    for (let n = 0; n < 4_000; n++) bus.publish("s", { message: ".".repeat(2_000) });
    client.halfClose();
    await nobodyFollows();
    await eventually("the connection is gone", () => connections() === 0);
  });

  test("ten thousand times, and nothing of them stays", async () => {
    const { bus, connections, port, responses, nobodyFollows } = await setUp();
    bus.publish("known", { message: "one" });
    const comeAndGo = async (count: number): Promise<void> => {
      for (let n = 0; n < count; n++) {
        const client = await RawClient.connect(port);
        client.get(`/?session_id=${n % 2 === 0 ? "known" : `unknown-${n}`}`);
        await client.until("event: ready");
        if (n % 4 < 2) client.close();
        else client.reset();
        await client.closed;
      }
    };
    const inParallel = async (count: number): Promise<void> => {
      await Promise.all(Array.from({ length: 200 }, () => comeAndGo(count / 200)));
      await nobodyFollows();
      await eventually("no connection is left", () => connections() === 0);
      responses.length = 0;
    };
    // Until the engine has compiled everything there is some growth that is not of theirs, and on a busy machine
    // it compiles late; what they leave behind grows each time.
    await inParallel(4_000);
    let grown = Infinity;
    for (let attempt = 0; attempt < 3 && grown >= 6_000 * 50; attempt++) {
      const before = await heldBytes();
      await inParallel(6_000);
      grown = (await heldBytes()) - before;
    }
    expect(bus.stats()).toMatchObject({ followers: 0, sessions: 1, events: 1 });
    // Whatever stayed of each would be more than 50 bytes.
    expect(grown).toBeLessThan(6_000 * 50);
  }, 120_000);
});

describe("requests that are not what they should be", { timeout: 20_000 }, () => {
  test.each([
    ["Host: [", "GET /?session_id=s HTTP/1.1\r\nHost: [\r\n\r\n"],
    ["a target that is no URL", "GET //[?session_id=s HTTP/1.1\r\nHost: x\r\n\r\n"],
    ["a target that is a whole URL", "GET http://[/?session_id=s HTTP/1.1\r\nHost: x\r\n\r\n"],
    ["parameters twice", "GET /?session_id=s&session_id=../x HTTP/1.1\r\nHost: x\r\n\r\n"],
    ["no path", "GET ?session_id=s HTTP/1.1\r\nHost: x\r\n\r\n"],
    ["a body", "GET /?session_id=s HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"],
  ])("are answered: %s", async (_, request) => {
    const { connect, nobodyFollows } = await setUp();
    const client = await connect();
    client.send(request);
    expect(await client.until(/event: ready|HTTP\/1.1 400/)).toMatch(
      /^HTTP\/1.1 (200 OK|400 Bad Request)\r\n/,
    );
    client.close();
    await nobodyFollows();
  });

  test.each([
    ["no query", "/"],
    ["malformed percent-encoding", "/?session_id=%E0%A4%A"],
    ["an encoded CR LF", "/?session_id=a%0d%0aSet-Cookie:%20a=b"],
    ["an encoded NUL", "/?session_id=a%00"],
    ["10,000 characters", `/?session_id=${"x".repeat(10_000)}`],
    ["an array", "/?session_id[]=s"],
    ["a fragment", "/?session_id=s#x"],
  ])("get 400: %s", async (_, path) => {
    const { connect } = await setUp();
    const client = await connect();
    client.get(path, { Connection: "close" });
    await client.closed;
    expect(client.received).toMatch(/^HTTP\/1.1 400 Bad Request\r\n/);
    expect(client.received).not.toContain("Set-Cookie");
    expect(client.received).not.toContain("xxxx");
  });

  test.each([
    ["15,000 digits", { "Last-Event-ID": `${"9".repeat(15_000)}-1` }],
    ["15,000 dashes", { "Last-Event-ID": "-".repeat(15_000) }],
    ["given twice", { "Last-Event-ID": "1-1\r\nLast-Event-ID: 1-2" }],
    ["not ASCII", { "Last-Event-ID": "é-1" }],
  ])("are a reset, at no cost: a last event ID of %s", async (_, headers) => {
    const { bus, connect } = await setUp();
    bus.publish("s", { message: "one" });
    const client = await connect();
    client.get("/?session_id=s", headers);
    expect(await client.until("event: agent")).toContain('"resume":"reset"');
  });

  test("OPTIONS * is a 405", async () => {
    const { connect } = await setUp();
    const client = await connect();
    client.send("OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    await client.closed;
    expect(client.received).toMatch(/^HTTP\/1.1 405 Method Not Allowed\r\n/);
    expect(client.received).toContain("\r\nAllow: GET, HEAD\r\n");
  });

  test("HTTP/1.0 gets its events without chunks, and the end of the connection after the end", async () => {
    const { bus, connect } = await setUp();
    const client = await connect();
    client.send("GET /?session_id=s HTTP/1.0\r\n\r\n");
    await client.until("event: ready");
    bus.publish("s", { message: "one" });
    await client.until("event: agent");
    bus.end("s");
    await client.closed;
    expect(client.received).not.toMatch(/transfer-encoding/i);
    const body = client.received.slice(client.received.indexOf("\r\n\r\n") + 4);
    expect(body).toMatch(/^retry: \d+\nid: 0-0\nevent: ready\n/);
    expect(body).toMatch(/\nevent: end\ndata: \{.*\}\n\n$/);
  });

  test("who asks for the connection to be closed after the end gets that", async () => {
    const { bus, connect } = await setUp();
    const client = await connect();
    bus.publish("s", { message: "one" });
    client.get("/?session_id=s", { Connection: "close" });
    await client.until("event: ready");
    bus.end("s");
    await client.closed;
    expect(client.received).toMatch(/\r\n0\r\n\r\n$/);
    expect(client.received).toMatch(/\r\nConnection: close\r\n/i);
  });

  test("pipelined streams are answered one after the other", async () => {
    const { bus, connect, nobodyFollows } = await setUp();
    const client = await connect();
    client.get("/?session_id=first").get("/?session_id=second").get("/?session_id=first");
    await client.until("event: ready");
    bus.publish("second", { message: "waits for its turn" });
    bus.publish("first", { message: "at once" });
    await client.until("at once");
    expect(client.received).not.toContain("waits for its turn");
    bus.end("first");
    await client.until("waits for its turn");
    bus.end("second");
    await client.until(/("session_end"[^]*){3}/);
    expect(client.received.match(/HTTP\/1.1 200 OK/g)).toHaveLength(3);
    await nobodyFollows();
  });

  test.each(["close", "reset"] as const)(
    "pipelined requests whose turn never came leave nothing: %s",
    async (leave) => {
      const { bus, responses, connect, nobodyFollows } = await setUp();
      const client = await connect();
      for (let n = 0; n < 20; n++) client.get(`/?session_id=s${n}`);
      await eventually("all have come", () => responses.length === 20);
      await client.until("event: ready");
      expect(bus.stats().followers).toBe(1);
      client[leave]();
      await nobodyFollows();
    },
  );

  test("a response that has begun already is a programmer's error, thrown at once", async () => {
    const bus = createEventBus();
    const handle = sseHandler(bus);
    const thrown = deferred<unknown>();
    const { origin, close } = await serve((req, res) => {
      res.flushHeaders();
      try {
        handle(req, res);
      } catch (error) {
        thrown.resolve(error);
        res.end();
      }
    });
    cleanUp(close);
    const client = await EventStreamClient.open(`${origin}/?session_id=s`);
    const error = await thrown.promise;
    expect(isSessionProgressError(error) && error.code).toBe("headers_sent");
    await client.over;
    expect(bus.stats().followers).toBe(0);
  });
});

describe("behind Express with a body parser", { timeout: 20_000 }, () => {
  async function setUpExpress() {
    const bus = createEventBus();
    const app = express();
    app.use(express.json());
    const bodies: unknown[] = [];
    app.all(
      "/events",
      expressHandler(bus, {
        authorize: (req) => {
          bodies.push(req.body);
          return true;
        },
      }),
    );
    const { origin, port, close } = await serve(app);
    cleanUp(async () => {
      await bus.close();
      await close();
    });
    return { bus, bodies, url: `${origin}/events?session_id=s`, port };
  }

  test("POST is a 405", async () => {
    const { bus, port } = await setUpExpress();
    const client = await RawClient.connect(port);
    cleanUp(() => client.close());
    const headers = { "Content-Type": "application/json", "Content-Length": "2", Connection: "close" };
    client.get("/events?session_id=s", headers, "POST").send("{}");
    await client.closed;
    expect(client.received).toMatch(/^HTTP\/1.1 405 /);
    expect(bus.stats().followers).toBe(0);
  });

  test("a request whose body was read is followed until its client leaves", async () => {
    const { bus, bodies, port } = await setUpExpress();
    const client = await RawClient.connect(port);
    client
      .get("/events?session_id=s", { "Content-Type": "application/json", "Content-Length": "7" })
      .send('{"a":1}');
    await client.until("event: ready");
    bus.publish("s", { message: "one" });
    await client.until("one");
    expect(bodies).toEqual([{ a: 1 }]);
    expect(bus.stats().followers).toBe(1);
    client.close();
    await eventually("nobody follows", () => bus.stats().followers === 0);
  });
});

describe("answers", { timeout: 20_000 }, () => {
  test.each([null, undefined, "yes", 1])("authorize that answers %j is a 403", async (verdict) => {
    const { errors, connect } = await setUp({ authorize: () => verdict as unknown as boolean });
    const client = await connect();
    client.get("/?session_id=s");
    expect(await client.until("\r\n\r\n")).toMatch(/^HTTP\/1\.1 403 /);
    expect(errors).toEqual([]);
  });

  test.each(["content-type", "Content-Type", "CONTENT-TYPE"])(
    "a refusal's own %s is the only one",
    async (name) => {
      const headers = { [name]: "text/plain", "cache-control": "private" };
      const { connect } = await setUp({ authorize: () => ({ status: 401, headers }) });
      const client = await connect();
      client.get("/?session_id=s");
      const received = await client.until("\r\n\r\n");
      expect(received).toMatch(/^HTTP\/1\.1 401 /);
      expect(received.match(/^(?:content-type|cache-control):.*$/gim)).toEqual([
        `${name}: text/plain`,
        "cache-control: private",
      ]);
    },
  );

  test("an empty Last-Event-ID does not hide the query's last_event_id", async () => {
    const { bus, connect } = await setUp();
    for (const message of ["one", "two"]) bus.publish("s", { message });
    const { epoch } = bus.reporter("s");
    const client = await connect();
    client.get(`/?session_id=s&last_event_id=${epoch}-1`, { "Last-Event-ID": "" });
    const received = await client.until('"msg":"two"');
    expect(received).toContain('"resume":"resumed"');
    expect(received).not.toContain('"msg":"one"');
  });
});

describe("code around it that throws", { timeout: 20_000 }, () => {
  test("neither hooks nor listeners nor filters keep followers from their events", async () => {
    const broken = (): never => {
      throw new Error("broken");
    };
    const { bus, errors, origin } = await setUp(
      { filter: (event) => (event.agent === "odd" ? broken() : true) },
      { history: { maxEvents: 4 } },
    );
    for (const hook of ["event", "gap", "end", "drop"] as const) bus.on(hook, broken);
    bus.subscribe("s", broken);
    bus.subscribe("s", () => Promise.reject(new Error("broken")));
    for (let n = 0; n < 10; n++) expect(bus.publish("s", { message: `m${n}` })).toBe(true);
    const client = await EventStreamClient.open(`${origin}/?session_id=s`);
    await client.until("ready");
    bus.publish("s", { agent: "odd", message: "withheld" });
    bus.publish("s", { message: "m10" });
    bus.end("s");
    bus.publish("s", { message: "too late" });
    const events = eventsIn(await client.rest());
    expect(events[0]).toMatchObject({ t: "gap", missed: 6 });
    expect(events.slice(1).map(({ msg }) => msg)).toEqual(["m6", "m7", "m8", "m9", "m10", undefined]);
    expect(new Set(errors)).toEqual(new Set(["broken"]));
  });
});

test("a hundred thousand random session ids leave no session, and runs are never refused for them", async () => {
  const { bus, connect, errors } = await setUp({}, { maxSessions: 10, maxFollowers: 50 });
  const PER_WRITE = 500;
  const WRITES = 200;
  const client = await connect();
  let answered = 0;
  let rest = "";
  let sent = 0;
  let allAnswered = deferred();
  client.socket.on("data", (text: string) => {
    const parts = (rest + text).split("HTTP/1.1 200 OK");
    answered += parts.length - 1;
    rest = parts.at(-1)!;
    if (answered === sent) allAnswered.resolve();
    // Only to keep the text short.
    client.received = "";
  });
  for (let write = 0; write < WRITES; write++) {
    let batch = "";
    for (let n = 0; n < PER_WRITE; n++, sent++) {
      batch += `HEAD /?session_id=random-${Math.random()} HTTP/1.1\r\nHost: x\r\n\r\n`;
    }
    allAnswered = deferred();
    client.send(batch);
    await allAnswered.promise;
    if (write % 20 === 0) {
      expect(await bus.start(() => "done", { sessionId: `run-${write / 20}` }).done).toMatchObject({
        status: "completed",
      });
    }
  }
  expect(sent).toBe(100_000);
  expect(bus.stats()).toMatchObject({ sessions: 10, followers: 0, drops: 0 });

  // As many followers of random sessions as there may be: still no state, and room for every run.
  const followers = await Promise.all(Array.from({ length: 50 }, connect));
  for (const follower of followers) follower.get(`/?session_id=random-${Math.random()}`);
  await Promise.all(followers.map((follower) => follower.until("event: ready")));
  for (let n = 0; n < 20; n++) {
    const { done } = bus.start(({ reporter }) => reporter.report({ message: "heard" }), {
      sessionId: `more-${n}`,
    });
    expect((await done).status).toBe("completed");
  }
  expect(bus.stats()).toMatchObject({ sessions: 10, followers: 50, drops: 0 });
  for (const follower of followers) follower.reset();
  await eventually("nobody follows", () => bus.stats().followers === 0);
  expect(errors).toEqual([]);
}, 120_000);
