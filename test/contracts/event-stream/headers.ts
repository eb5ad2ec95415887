import { Agent } from "node:http";
import { describe, expect, onTestFinished, test } from "vitest";
import type { EventStreamClient } from "../../support/event-stream-client.ts";
import type { AdapterUnderTest, Fixture, HeadersBefore, ServeOptions } from "./adapter-under-test.ts";

/** An answer of each kind: from a session that is open, and one that has ended. */
const ANSWERS: Readonly<Record<string, (fixture: Fixture) => Promise<EventStreamClient>>> = {
  "200, a stream": ({ follow }) => follow(),
  "200, HEAD": ({ follow }) => follow({}, { method: "HEAD" }),
  "200, closing": async ({ bus, follow }) => {
    await bus.close();
    return follow();
  },
  "204": async ({ bus, followAfter }) => {
    bus.end("s");
    return followAfter(`${bus.reporter("s").epoch}-2`);
  },
  "400": ({ follow }) => follow({ session_id: "" }),
  "400, HEAD": ({ follow }) => follow({ session_id: "" }, { method: "HEAD" }),
  "403": ({ follow }) => follow({ session_id: "forbidden" }),
  "404": ({ follow }) => follow({ session_id: "unopened" }),
  "405": ({ follow }) => follow({}, { method: "POST" }),
  "406": ({ follow }) => follow({}, { headers: { accept: "text/html" } }),
  "429": async ({ follow }) => {
    await follow();
    return follow();
  },
  "500": ({ follow }) => follow({ session_id: "throws" }),
  "503": ({ follow }) => follow({ session_id: "hangs" }),
};

const OPTIONS: ServeOptions = {
  mustExist: true,
  writeDeadlineMs: 500,
  authorize: (_request, sessionId) => {
    if (sessionId === "throws") throw new Error("database away");
    return sessionId === "hangs" ? new Promise(() => {}) : sessionId !== "forbidden";
  },
};

/** Which headers answers carry, and which not. */
export function testHeaders({ setUp, http1, middleware, methodPassthrough }: AdapterUnderTest): void {
  const kinds = Object.keys(ANSWERS).filter((kind) => methodPassthrough || kind !== "405");

  async function answered(kind: string, before: HeadersBefore = {}): Promise<EventStreamClient> {
    const fixture = await setUp(OPTIONS, { maxFollowers: 1 }, before);
    fixture.bus.publish("s", { message: "one" });
    const client = await ANSWERS[kind]!(fixture);
    expect(client.status).toBe(Number(kind.slice(0, 3)));
    return client;
  }

  async function refused(headers: never): Promise<EventStreamClient> {
    const { follow } = await setUp({ authorize: () => ({ status: 401, headers }) });
    const client = await follow();
    await client.over;
    return client;
  }

  describe("headers", () => {
    test.each(kinds)("no cache keeps an answer for others: %s", async (kind) => {
      const { headers } = await answered(kind);
      expect(headers["cache-control"]).toBe(kind.startsWith("200") ? "no-cache, no-transform" : "no-store");
    });

    describe.runIf(middleware)("beside those that middleware has set before", () => {
      const before: HeadersBefore = {
        "x-request-id": "7",
        vary: "Origin",
        "set-cookie": ["a=1; Path=/", "b=2"],
        "access-control-allow-origin": "https://www.example.com",
        // What is said of another answer than ours.
        "cache-control": "public, max-age=3600",
        "content-type": "text/html",
        "content-length": "5",
        "content-encoding": "gzip",
        etag: '"5"',
        "last-modified": "Thu, 01 Jan 2026 00:00:00 GMT",
        "accept-ranges": "bytes",
        ...(http1 && { "transfer-encoding": "gzip" }),
      };

      test.each(kinds)("%s", async (kind) => {
        const client = await answered(kind, before);
        const { headers } = client;
        expect(headers).toMatchObject({
          "x-request-id": "7",
          vary: "Origin",
          "set-cookie": ["a=1; Path=/", "b=2"],
          "access-control-allow-origin": "https://www.example.com",
        });
        const plain = await answered(kind);
        for (const name of ["cache-control", "content-type", "content-length", "transfer-encoding"]) {
          // An answer of known length may say it in either way.
          const isFraming = name === "content-length" || name === "transfer-encoding";
          if (!isFraming || kind === "200, a stream") expect(headers[name], name).toBe(plain.headers[name]);
        }
        for (const name of ["content-encoding", "etag", "last-modified", "accept-ranges"]) {
          expect(headers[name], name).toBeUndefined();
        }
        if (kind === "200, a stream") {
          await client.until("agent");
        } else {
          await plain.over;
          await expect(client.over).resolves.toBe("end");
          expect(client.text.replace(/\d+/g, "")).toBe(plain.text.replace(/\d+/g, ""));
        }
      });

      test("cookies and reasons to vary are added to", async () => {
        const { follow } = await setUp(
          { authorize: () => ({ status: 401, headers: { "Set-Cookie": "a=; Max-Age=0", Vary: "Cookie" } }) },
          undefined,
          before,
        );
        const { headers } = await follow();
        expect(headers["set-cookie"]).toEqual(["a=1; Path=/", "b=2", "a=; Max-Age=0"]);
        expect(headers["vary"]).toBe("Origin, Cookie");
      });
    });

    describe("of a refusal", () => {
      const cookies = ["a=1; Expires=Thu, 01 Jan 2026 00:00:00 GMT", "b=2"];

      test.each([
        [
          "a Headers",
          new Headers([
            ["WWW-Authenticate", "Bearer"],
            ...cookies.map((one) => ["Set-Cookie", one] as [string, string]),
          ]),
        ],
        ["pairs", [["WWW-Authenticate", "Bearer"], ...cookies.map((one) => ["Set-Cookie", one])]],
        ["an object", { "WWW-Authenticate": "Bearer", "Set-Cookie": cookies, "X-None": undefined }],
      ])("as %s", async (_, given) => {
        const { status, headers } = await refused(given as never);
        expect(status).toBe(401);
        expect(headers["www-authenticate"]).toBe("Bearer");
        expect(headers["set-cookie"]).toEqual(cookies);
        expect(headers["content-type"]).toBe("application/problem+json");
        expect(headers["cache-control"]).toBe("no-store");
        expect(headers["x-none"]).toBeUndefined();
      });

      test("may replace the usual ones, however their names are written", async () => {
        const { headers } = await refused({
          "content-TYPE": "text/plain",
          "CACHE-control": "private",
        } as never);
        expect(headers).toMatchObject({ "content-type": "text/plain", "cache-control": "private" });
      });

      test("of another server's answer, only those pass that are not of its connection or body", async () => {
        const theirs = {
          "x-trace": "1",
          date: "Thu, 01 Jan 2026 00:00:00 GMT",
          ":status": "401",
          connection: "Keep-Alive, X-Hop",
          "x-hop": "theirs",
          "keep-alive": "timeout=5",
          "proxy-authenticate": "Basic",
          "proxy-connection": "keep-alive",
          te: "trailers",
          trailer: "X-Checksum",
          upgrade: "h2c",
          "transfer-encoding": "gzip, chunked",
          "content-length": "2",
          "content-encoding": "br",
          "content-range": "bytes 0-1/2",
          etag: '"2"',
          "last-modified": "Thu, 01 Jan 2026 00:00:00 GMT",
        };
        const client = await refused(theirs as never);
        expect(client.status).toBe(401);
        expect(JSON.parse(client.text)).toMatchObject({ status: 401 });
        expect(client.headers["x-trace"]).toBe("1");
        const names = Object.keys(theirs)
          .slice(3)
          .filter((name) => !(http1 && /^(connection|keep-alive)$/.test(name)));
        for (const name of names) expect(client.headers[name], name).not.toBe(theirs[name as "te"]);
      });

      test.runIf(http1).each([
        ["too short a length", { "Content-Length": "2" }],
        ["too long a length", { "Content-Length": "5000" }],
        ["an encoding of transfer", { "Transfer-Encoding": "gzip" }],
        ["both", { "content-length": "2", "transfer-encoding": "chunked", Connection: "close" }],
      ])("cannot break the next answer on the connection: %s", async (_, headers) => {
        const { follow } = await setUp({ authorize: () => ({ status: 401, headers }) });
        const agent = new Agent({ keepAlive: true, maxSockets: 1 });
        onTestFinished(() => agent.destroy());
        for (let request = 0; request < 3; request++) {
          const client = await follow({}, { agent });
          expect(client.status).toBe(401);
          await expect(client.over).resolves.toBe("end");
          expect(JSON.parse(client.text)).toMatchObject({ status: 401 });
        }
        expect(Object.values(agent.freeSockets).flat()).toHaveLength(1);
      });

      test.each([
        ["a text", "WWW-Authenticate: Bearer"],
        ["half a pair", [["WWW-Authenticate"]]],
        ["a name that is none", { "WWW Authenticate": "Bearer" }],
        ["a value of two lines", new Map([["X-Why", "a\nb"]])],
      ])("500, and the error hook is told: %s", async (_, given) => {
        const { errors, follow } = await setUp({
          authorize: () => ({ status: 401, headers: given as never }),
        });
        expect((await follow()).status).toBe(500);
        expect(errors).toHaveLength(1);
      });
    });

    test.runIf(http1)(
      "`Connection` is the server's, also when it lets each connection have few requests",
      async () => {
        const { bus, server, follow } = await setUp();
        server!.maxRequestsPerSocket = 3;
        bus.publish("s", { message: "one" });
        bus.end("s");
        const agent = new Agent({ keepAlive: true, maxSockets: 1 });
        onTestFinished(() => agent.destroy());
        const said: unknown[] = [];
        for (let request = 0; request < 7; request++) {
          const client = await follow({}, { agent });
          expect(client.status).toBe(200);
          await expect(client.over).resolves.toBe("end");
          said.push(client.headers["connection"]);
        }
        const three = ["keep-alive", "keep-alive", "close"];
        expect(said).toEqual([...three, ...three, "keep-alive"]);
      },
    );
  });
}
