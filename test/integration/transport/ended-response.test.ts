import type { IncomingMessage, ServerResponse } from "node:http";
import { describe, expect, test } from "vitest";
import { createEventBus, type SessionEventBus } from "session-progress";
import { type SseOptions, sseHandler } from "session-progress/node";
import { cleanups } from "../../support/cleanups.ts";
import { nextTurn } from "../../support/event-loop.ts";
import { eventually } from "../../support/eventually.ts";
import { serve } from "../../support/http-server.ts";
import { RawClient } from "../../support/raw-client.ts";

const cleanUp = cleanups();

const LAST_CHUNK = "\r\n0\r\n\r\n";

/** Event streams at `/`, and at `/other` a page that is somebody else's. */
async function setUp(options: (bus: SessionEventBus) => SseOptions<IncomingMessage>) {
  const bus = createEventBus();
  const errors: string[] = [];
  bus.on("error", (error) => errors.push(error.message));
  const handle = sseHandler(bus, options(bus));
  const streams: ServerResponse[] = [];
  const others: ServerResponse[] = [];
  const { port, close } = await serve((req, res) => {
    if (req.url === "/other") {
      others.push(res);
      res.setHeader("Content-Type", "text/plain");
      res.write("first half, ");
      return;
    }
    streams.push(res);
    void handle(req, res);
  });
  cleanUp(close, () => bus.close());
  const client = await RawClient.connect(port);
  cleanUp(() => client.close());
  return { bus, errors, client, streams, others };
}

/** Follows session `s` and reports until the stream is written in whole chunks, past the response. */
async function follow(
  options: (bus: SessionEventBus) => SseOptions<IncomingMessage> = () => ({}),
  { pipelined }: { pipelined?: string } = {},
) {
  const { streams, ...rest } = await setUp(options);
  const { bus, client } = rest;
  client.get("/?session_id=s");
  if (pipelined !== undefined) client.get(pipelined);
  await client.until("event: ready");
  for (const message of ["one", "two"]) {
    bus.publish("s", { message });
    await client.until(`"msg":"${message}"`);
  }
  return { ...rest, stream: streams[0]! };
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
    const { bus, client, stream, others } = await follow();
    stream.end();
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
    const { bus, client, stream, others } = await follow();
    stream.end();
    for (let n = 0; n < 1_200; n++) bus.publish("s", { message: `too late ${n}` });
    client.get("/other");
    await expectOther(client, others);
    expect(client.received).not.toContain("too late");
  });

  test.each(["in the same turn", "in a later turn"])(
    "leaves the pipelined response after it alone: %s",
    async (when) => {
      const { bus, client, stream, others } = await follow(undefined, { pipelined: "/other" });
      stream.end();
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
    const { bus, client, stream, others } = await follow();
    client.socket.pause();
    while (stream.writableLength === 0) {
      for (let n = 0; n < 500; n++) bus.publish("s", { message: "f".repeat(2_000) });
      await nextTurn();
    }
    stream.end();
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
    const { bus, errors, client, others } = await follow((own) => ({
      filter: ({ msg }) => {
        if (msg === "bye") own.disconnect("s");
        return true;
      },
    }));
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
