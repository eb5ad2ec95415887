import express, { type Request, type Response } from "express";
import express4 from "express4";
import { Agent, createServer, get, type IncomingMessage, ServerResponse } from "node:http";
import { describe, expect, test } from "vitest";
import { createEventBus, type SessionEventBus } from "session-progress";
import { sseHandler as expressHandler } from "session-progress/express";
import { sseHandler } from "session-progress/node";
import { unchunk } from "../../support/chunked-body.ts";
import { cleanups } from "../../support/cleanups.ts";
import { serve, start } from "../../support/http-server.ts";
import { RawClient } from "../../support/raw-client.ts";
import { serveEvents } from "../../support/sse-server.ts";

const cleanUp = cleanups();

async function setUp(wrap: (res: ServerResponse) => void = () => {}) {
  const server = await serveEvents({}, {}, wrap);
  cleanUp(server.close);
  return server;
}

test("every chunk is framed right, with texts of any width", async () => {
  const { bus, port } = await setUp();
  const client = await RawClient.connect(port);
  client.get("/?session_id=s");
  await client.until("ready");
  const messages = ["plain", "größer", "日本語", "🙂".repeat(300), "x".repeat(70_000)];
  for (const message of messages) {
    bus.publish("s", { message });
    await bus.flush();
  }
  bus.end("s");
  const received = await client.until("0\r\n\r\n");
  const text = unchunk(received);
  const sent = [...text.matchAll(/^data: (.*)$/gm)].map(([, json]) => JSON.parse(json!) as { msg?: string });
  expect(sent.map(({ msg }) => msg)).toEqual([undefined, ...messages, undefined]);
});

test("whoever has wrapped `write` sees every byte", async () => {
  let seen = "";
  const { bus, port } = await setUp((res) => {
    const write = res.write.bind(res) as (chunk: Uint8Array) => boolean;
    res.write = ((chunk: Uint8Array) => {
      seen += Buffer.from(chunk).toString();
      return write(chunk);
    }) as ServerResponse["write"];
  });
  const client = await RawClient.connect(port);
  client.get("/?session_id=s");
  await client.until("ready");
  for (const message of ["one", "two"]) {
    bus.publish("s", { message });
    await bus.flush();
  }
  bus.end("s");
  const received = await client.until("0\r\n\r\n");
  expect(seen).toBe(unchunk(received));
});

describe("`write` that was replaced", () => {
  /** Follows on `server`, and checks that `seen` has every event that the client got. */
  async function expectAllSeen(bus: SessionEventBus, port: number, seen: () => string): Promise<void> {
    const client = await RawClient.connect(port);
    cleanUp(() => client.close());
    client.get("/?session_id=s");
    await client.until("ready");
    for (const message of ["one", "two", "three"]) {
      bus.publish("s", { message });
      await client.until(`"msg":"${message}"`);
    }
    bus.end("s");
    const received = await client.until("0\r\n\r\n");
    expect(seen()).toBe(unchunk(received));
  }

  test("in a subclass sees every byte", async () => {
    let seen = "";
    class Mine extends ServerResponse {
      override write = (chunk: Uint8Array): boolean => {
        seen += Buffer.from(chunk).toString();
        return super.write(chunk);
      };
    }
    class OnItsPrototype extends ServerResponse {}
    OnItsPrototype.prototype.write = function (this: ServerResponse, chunk: Uint8Array): boolean {
      seen += Buffer.from(chunk).toString();
      return ServerResponse.prototype.write.call(this, chunk, "utf8");
    } as ServerResponse["write"];
    for (const Response of [Mine, OnItsPrototype]) {
      seen = "";
      const bus = createEventBus();
      const { port, close } = await start(createServer({ ServerResponse: Response }, sseHandler(bus)));
      cleanUp(close, () => bus.close());
      await expectAllSeen(bus, port, () => seen);
    }
  });

  test("on Node's prototype sees every byte", async () => {
    const { bus, port } = await setUp();
    const own = Object.getOwnPropertyDescriptor(ServerResponse.prototype, "write");
    const { write } = ServerResponse.prototype;
    let seen = "";
    ServerResponse.prototype.write = function (this: ServerResponse, chunk: Uint8Array): boolean {
      seen += Buffer.from(chunk).toString();
      return write.call(this, chunk, "utf8");
    } as ServerResponse["write"];
    try {
      await expectAllSeen(bus, port, () => seen);
    } finally {
      if (own === undefined) Reflect.deleteProperty(ServerResponse.prototype, "write");
      else Object.defineProperty(ServerResponse.prototype, "write", own);
    }
  });

  test("after the first events sees every byte that follows", async () => {
    const { bus, port, responses } = await setUp();
    const client = await RawClient.connect(port);
    cleanUp(() => client.close());
    client.get("/?session_id=s");
    await client.until("ready");
    for (const message of ["one", "two"]) {
      bus.publish("s", { message });
      await client.until(`"msg":"${message}"`);
    }
    const [res] = responses;
    const write = res!.write.bind(res) as (chunk: Uint8Array) => boolean;
    let seen = "";
    res!.write = ((chunk: Uint8Array) => {
      seen += Buffer.from(chunk).toString();
      return write(chunk);
    }) as ServerResponse["write"];
    for (const message of ["three", "four"]) {
      bus.publish("s", { message });
      await client.until(`"msg":"${message}"`);
    }
    bus.end("s");
    await client.until("0\r\n\r\n");
    expect(seen.match(/"msg":"\w+"|event: end/g)).toEqual(['"msg":"three"', '"msg":"four"', "event: end"]);
  });
});

test("a response that sends no chunks gets none", async () => {
  const { bus, port } = await setUp();
  const client = await RawClient.connect(port);
  client.send("GET /?session_id=s HTTP/1.0\r\n\r\n");
  await client.until("ready");
  bus.publish("s", { message: "one" });
  await client.until('"msg":"one"');
  bus.end("s");
  await client.closed;
  expect(client.received).toMatch(/\r\n\r\nretry: \d+\nid: .*\n\nid: .*\n\nid: [^\r]*\n\n$/s);
});

test("a connection serves one stream after the other, and keeps no listener of any", async () => {
  const { bus, origin, responses } = await setUp();
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  cleanUp(() => agent.destroy());
  const counts: number[] = [];
  for (let n = 0; n < 5; n++) {
    const response = await new Promise<IncomingMessage>((resolve) => {
      get(`${origin}/?session_id=s${n}`, { agent }, resolve);
    });
    bus.publish(`s${n}`, { message: "one" });
    await bus.flush();
    bus.publish(`s${n}`, { message: "two" });
    await bus.flush();
    bus.end(`s${n}`);
    const { socket } = responses[n]!;
    let text = "";
    for await (const chunk of response) text += String(chunk);
    expect(text.match(/event: agent/g)).toHaveLength(2);
    counts.push(
      socket!.listenerCount("drain") + socket!.listenerCount("close") + socket!.listenerCount("error"),
    );
  }
  expect(new Set(counts).size).toBe(1);
});

/** Counts what goes to the socket of each response: whole chunks, and anything else. */
function countChunks(res: ServerResponse): { whole: number; other: number } {
  const counts = { whole: 0, other: 0 };
  const socket = res.socket!;
  const write = socket.write.bind(socket) as (...args: unknown[]) => boolean;
  socket.write = (...args: unknown[]) => {
    const [size] = String(args[0]).split("\r\n", 1);
    const isWhole =
      args[0] instanceof Uint8Array && args[0].length === parseInt(size!, 16) + size!.length + 4;
    counts[isWhole ? "whole" : "other"]++;
    return write(...args);
  };
  return counts;
}

describe("in the ordinary case each turn is one write of one whole chunk", () => {
  const handlers = {
    "node:http": (bus: SessionEventBus) => sseHandler(bus),
    "Express 4": (bus: SessionEventBus) => express4().get("/", expressHandler(bus)),
    "Express 5": (bus: SessionEventBus) => express().get("/", expressHandler(bus)),
  };

  test.each(Object.entries(handlers))("on %s, from the second turn on", async (_, handler) => {
    const bus = createEventBus();
    const handle = handler(bus);
    let counts!: ReturnType<typeof countChunks>;
    const { port, close } = await serve((req, res) => {
      counts = countChunks(res);
      handle(req as Request, res as Response);
    });
    cleanUp(close, () => bus.close());
    const client = await RawClient.connect(port);
    client.get("/?session_id=s");
    await client.until("ready");
    const report = async (message: string): Promise<void> => {
      for (let n = 0; n < 3; n++) bus.publish("s", { message: `${message} ${n}` });
      await client.until(`"msg":"${message} 2"`);
    };
    await report("first");
    const before = { ...counts };
    for (let turn = 0; turn < 50; turn++) await report(`turn ${turn}`);
    expect(counts).toEqual({ whole: before.whole + 50, other: before.other });
  });
});
