import type { IncomingMessage, ServerResponse } from "node:http";
import { afterEach, describe, expect, test } from "vitest";
import { createEventBus, type SessionEventBus } from "session-progress";
import { type SseOptions, sseHandler } from "session-progress/node";
import { nextTurn } from "../../support/event-loop.ts";
import { eventually } from "../../support/eventually.ts";
import { listen } from "../../support/http-server.ts";
import { RawClient } from "../../support/raw-client.ts";

const opened: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close();
});

const LAST_CHUNK = "\r\n0\r\n\r\n";

/** Event streams at `/`, and at `/other` a page that is somebody else's. */
async function setUp(options: (bus: SessionEventBus) => SseOptions<IncomingMessage> = () => ({})) {
  const bus = createEventBus();
  const errors: string[] = [];
  bus.on("error", (error) => errors.push(error.message));
  const handle = sseHandler(bus, options(bus));
  const streams: ServerResponse[] = [];
  const others: ServerResponse[] = [];
  const { port, close } = await listen((req, res) => {
    if (req.url === "/other") {
      others.push(res);
      res.setHeader("Content-Type", "text/plain");
      res.write("first half, ");
      return;
    }
    streams.push(res);
    handle(req, res);
  });
  opened.push(close, () => bus.close());
  const client = await RawClient.connect(port);
  opened.push(() => client.close());
  return { bus, errors, client, streams, others };
}

/** Reports until the stream is written in whole chunks, past the response. */
async function warmUp(bus: SessionEventBus, client: RawClient): Promise<void> {
  for (const message of ["one", "two"]) {
    bus.publish("s", { message });
    await client.until(`"msg":"${message}"`);
  }
}

/** Asserts that the next response on the connection is whole and nothing lies before it. */
async function expectOther(client: RawClient, others: ServerResponse[]): Promise<void> {
  await eventually("the other page was asked for", () => others.length === 1);
  others[0]!.end("second half");
  const received = await client.until("second half\r\n0\r\n\r\n");
  const rest = received.slice(received.indexOf(LAST_CHUNK) + LAST_CHUNK.length);
  expect(rest).toMatch(
    /^HTTP\/1\.1 200 OK\r\n(?:[\w-]+: [^\r\n]*\r\n)+\r\nc\r\nfirst half, \r\nb\r\nsecond half\r\n0\r\n\r\n$/,
  );
}

describe("a response that somebody else has ended", () => {
  test.each(["in the same turn", "in a later turn"])("is not written to any more: %s", async (when) => {
    const { bus, client, streams, others } = await setUp();
    client.get("/?session_id=s");
    await client.until("event: ready");
    await warmUp(bus, client);
    streams[0]!.end();
    if (when === "in a later turn") await nextTurn();
    bus.publish("s", { message: "too late" });
    await bus.flush();
    await nextTurn();
    bus.publish("s", { message: "much too late" });
    await bus.flush();
    client.get("/other");
    await expectOther(client, others);
    expect(client.received).not.toContain("too late");
    await eventually("nobody follows", () => bus.stats().followers === 0);
  });

  test("is not written to by a long turn without a flush", async () => {
    const { bus, client, streams, others } = await setUp();
    client.get("/?session_id=s");
    await client.until("event: ready");
    await warmUp(bus, client);
    streams[0]!.end();
    for (let n = 0; n < 1_200; n++) bus.publish("s", { message: `too late ${n}` });
    client.get("/other");
    await expectOther(client, others);
    expect(client.received).not.toContain("too late");
  });

  test.each(["in the same turn", "in a later turn"])(
    "leaves the pipelined response after it alone: %s",
    async (when) => {
      const { bus, client, streams, others } = await setUp();
      client.get("/?session_id=s").get("/other");
      await client.until("event: ready");
      await warmUp(bus, client);
      streams[0]!.end();
      if (when === "in a later turn") await nextTurn();
      bus.publish("s", { message: "too late" });
      await bus.flush();
      await client.until("first half");
      bus.publish("s", { message: "much too late" });
      await bus.flush();
      await expectOther(client, others);
      expect(client.received).not.toContain("too late");
    },
  );

  test("is not written to while its last bytes wait for a slow reader", async () => {
    const { bus, client, streams, others } = await setUp();
    client.get("/?session_id=s");
    await client.until("event: ready");
    await warmUp(bus, client);
    client.socket.pause();
    const [stream] = streams;
    while (stream!.writableLength === 0) {
      for (let n = 0; n < 500; n++) bus.publish("s", { message: "f".repeat(2_000) });
      await nextTurn();
    }
    stream!.end();
    for (const message of ["too late", "much too late"]) {
      bus.publish("s", { message });
      await bus.flush();
      await nextTurn();
    }
    client.socket.resume();
    client.get("/other");
    await expectOther(client, others);
    expect(client.received).not.toContain("too late");
  });
});

describe("a filter that disconnects the stream it filters", () => {
  test("is the end of the response", async () => {
    const { bus, errors, client, others } = await setUp((own) => ({
      filter: ({ msg }) => {
        if (msg === "bye") own.disconnect("s");
        return true;
      },
    }));
    client.get("/?session_id=s");
    await client.until("event: ready");
    await warmUp(bus, client);
    bus.publish("s", { message: "bye" });
    bus.publish("s", { message: "too late" });
    await client.until(LAST_CHUNK);
    bus.publish("s", { message: "much too late" });
    await bus.flush();
    client.get("/other");
    await expectOther(client, others);
    expect(client.received).not.toMatch(/bye|too late|event: end/);
    expect(bus.stats().followers).toBe(0);
    expect(errors).toEqual([]);
  });
});
