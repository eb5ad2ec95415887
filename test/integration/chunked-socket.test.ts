import express from "express";
import { Agent, get, type IncomingMessage, type ServerResponse } from "node:http";
import { afterEach, expect, test } from "vitest";
import { createEventBus } from "session-progress";
import { sseHandler as expressHandler } from "session-progress/express";
import { sseHandler } from "session-progress/node";
import { listen } from "../support/http-server.ts";
import { RawClient } from "../support/raw-client.ts";

const opened: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close();
});

async function setUp(wrap: (res: ServerResponse) => void = () => {}) {
  const bus = createEventBus();
  const handle = sseHandler(bus);
  const responses: ServerResponse[] = [];
  const { port, origin, close } = await listen((req, res) => {
    responses.push(res);
    wrap(res);
    handle(req, res);
  });
  opened.push(close, () => bus.close());
  return { bus, port, origin, responses };
}

/** What of a chunked body is between the frames; throws where a frame is wrong. */
function unchunk(body: string): string {
  const size = parseInt(body, 16);
  const start = body.indexOf("\r\n") + 2;
  if (size === 0) return body.slice(start) === "\r\n" ? "" : "junk after the last chunk";
  const bytes = Buffer.from(body.slice(start));
  const rest = bytes.subarray(size).toString();
  if (!rest.startsWith("\r\n"))
    throw new Error(`a chunk of ${size} bytes does not end at ${rest.slice(0, 20)}`);
  return bytes.subarray(0, size).toString() + unchunk(rest.slice(2));
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
  const text = unchunk(received.slice(received.indexOf("\r\n\r\n") + 4));
  const sent = [...text.matchAll(/^data: (.*)$/gm)].map(([, json]) => JSON.parse(json!) as { msg?: string });
  expect(sent.map(({ msg }) => msg)).toEqual([
    undefined,
    ...messages.slice(0, 4),
    expect.stringMatching(/^x{65000,}…$/),
    undefined,
  ]);
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
  expect(seen).toBe(unchunk(received.slice(received.indexOf("\r\n\r\n") + 4)));
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
  expect(client.received).toMatch(/\r\n\r\nretry: \d+\n\nid: .*\n\nid: .*\n\nid: [^\r]*\n\n$/s);
});

test("a connection serves one stream after the other, and keeps no listener of any", async () => {
  const { bus, origin, responses } = await setUp();
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  opened.push(() => agent.destroy());
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

test("an Express response is written past Express too", async () => {
  const bus = createEventBus();
  let chunks = 0;
  const app = express();
  app.get("/", (_req, res, next) => {
    const socket = res.socket!;
    const write = socket.write.bind(socket) as (...args: unknown[]) => boolean;
    socket.write = (...args: unknown[]) => {
      chunks++;
      return write(...args);
    };
    next();
  });
  app.get("/", expressHandler(bus));
  const { port, close } = await listen(app);
  opened.push(close, () => bus.close());
  const client = await RawClient.connect(port);
  client.get("/?session_id=s");
  await client.until("ready");
  const before = chunks;
  bus.publish("s", { message: "one" });
  await client.until('"msg":"one"');
  expect(chunks - before).toBe(1);
});
