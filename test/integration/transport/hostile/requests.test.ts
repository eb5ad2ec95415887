import { describe, expect, test } from "vitest";
import { createEventBus, isSessionProgressError } from "session-progress";
import { sseHandler } from "session-progress/node";
import { cleanups } from "../../../support/cleanups.ts";
import { deferred } from "../../../support/deferred.ts";
import { EventStreamClient } from "../../../support/event-stream-client.ts";
import { eventually } from "../../../support/eventually.ts";
import { serveHostile } from "../../../support/hostile-server.ts";
import { serve } from "../../../support/http-server.ts";

const cleanUp = cleanups();

describe("requests that are not what they should be", () => {
  test.each([
    ["Host: [", "GET /?session_id=s HTTP/1.1\r\nHost: [\r\n\r\n"],
    ["a target that is no URL", "GET //[?session_id=s HTTP/1.1\r\nHost: x\r\n\r\n"],
    ["a target that is a whole URL", "GET http://[/?session_id=s HTTP/1.1\r\nHost: x\r\n\r\n"],
    ["parameters twice", "GET /?session_id=s&session_id=../x HTTP/1.1\r\nHost: x\r\n\r\n"],
    ["no path", "GET ?session_id=s HTTP/1.1\r\nHost: x\r\n\r\n"],
    ["a body", "GET /?session_id=s HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"],
  ])("are answered: %s", async (_, request) => {
    const { connect, nobodyFollows } = await serveHostile(cleanUp);
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
    const { connect } = await serveHostile(cleanUp);
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
    const { bus, connect } = await serveHostile(cleanUp);
    bus.publish("s", { message: "one" });
    const client = await connect();
    client.get("/?session_id=s", headers);
    expect(await client.until("event: agent")).toContain('"resume":"reset"');
  });

  test("OPTIONS * is a 405", async () => {
    const { connect } = await serveHostile(cleanUp);
    const client = await connect();
    client.send("OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    await client.closed;
    expect(client.received).toMatch(/^HTTP\/1.1 405 Method Not Allowed\r\n/);
    expect(client.received).toContain("\r\nAllow: GET, HEAD\r\n");
  });

  test("HTTP/1.0 gets its events without chunks, and the end of the connection after the end", async () => {
    const { bus, connect } = await serveHostile(cleanUp);
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
    const { bus, connect } = await serveHostile(cleanUp);
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
    const { bus, connect, nobodyFollows } = await serveHostile(cleanUp);
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
      const { bus, responses, connect, nobodyFollows } = await serveHostile(cleanUp);
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
        void handle(req, res);
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

describe("answers", () => {
  test.each([null, undefined, "yes", 1])("authorize that answers %j is a 403", async (verdict) => {
    const { errors, connect } = await serveHostile(cleanUp, {
      authorize: () => verdict as unknown as boolean,
    });
    const client = await connect();
    client.get("/?session_id=s");
    expect(await client.until("\r\n\r\n")).toMatch(/^HTTP\/1\.1 403 /);
    expect(errors).toEqual([]);
  });

  test.each(["content-type", "Content-Type", "CONTENT-TYPE"])(
    "a refusal's own %s is the only one",
    async (name) => {
      const headers = { [name]: "text/plain", "cache-control": "private" };
      const { connect } = await serveHostile(cleanUp, { authorize: () => ({ status: 401, headers }) });
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
    const { bus, connect } = await serveHostile(cleanUp);
    for (const message of ["one", "two"]) bus.publish("s", { message });
    const { epoch } = bus.reporter("s");
    const client = await connect();
    client.get(`/?session_id=s&last_event_id=${epoch}-1`, { "Last-Event-ID": "" });
    const received = await client.until('"msg":"two"');
    expect(received).toContain('"resume":"resumed"');
    expect(received).not.toContain('"msg":"one"');
  });
});
