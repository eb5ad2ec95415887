import type { ServerResponse } from "node:http";
import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { createEventBus, type EventBusOptions } from "session-progress";
import { sseHandler } from "session-progress/node";
import { ResponsePeer } from "../../../src/transport/node/response-peer.ts";
import { SharedBytes } from "../../../src/transport/sse/shared-bytes.ts";
import { eventually } from "../../support/eventually.ts";
import { cleanups } from "../../support/cleanups.ts";
import { serve } from "../../support/http-server.ts";
import { RawClient } from "../../support/raw-client.ts";

const cleanUp = cleanups();

/** A client of `s`, and the server's side of it; `prepare` gets the response before the handler does. */
async function follow(
  options?: EventBusOptions,
  { http = "1.1", prepare = () => {} }: { http?: string; prepare?: (res: ServerResponse) => void } = {},
) {
  const bus = createEventBus(options);
  const handle = sseHandler(bus);
  let res!: ServerResponse;
  const { port, close } = await serve((req, response) => {
    res = response;
    prepare(res);
    void handle(req, res);
  });
  const client = await RawClient.connect(port);
  cleanUp(
    close,
    () => bus.close(),
    () => client.close(),
  );
  client.send(`GET /?session_id=s HTTP/${http}\r\nHost: localhost\r\n\r\n`);
  await client.until("ready");
  /** Reports one event a turn, each when the last has arrived. */
  const report = async (...messages: string[]): Promise<void> => {
    for (const message of messages) {
      bus.publish("s", { message });
      await client.until(`"msg":"${message}"`);
    }
  };
  return { bus, client, res, report };
}

/** Replaces `write` of `res` by a function that only passes on. */
function wrap(res: ServerResponse): void {
  const write = res.write.bind(res) as (...args: unknown[]) => boolean;
  res.write = (...args: unknown[]) => write(...args);
}

const positionsIn = (text: string): number[] =>
  [...text.matchAll(/^id: \d+-(\d+)\r?$/gm)].map(([, position]) => Number(position));

describe("a long turn leaves no gap, although the response is not passed", () => {
  const COUNT = 5_000;
  const history = { maxEvents: 10 };

  async function expectAll({ bus, client }: Awaited<ReturnType<typeof follow>>): Promise<void> {
    for (let n = 0; n < COUNT; n++) bus.publish("s", { message: "f".repeat(200) });
    bus.end("s");
    const received = await client.until(/event: end\n.*\n\n/);
    expect(positionsIn(received)).toEqual(Array.from({ length: COUNT + 2 }, (_, n) => n));
    expect(bus.stats().gaps).toBe(0);
  }

  test("because nothing was sent yet but the first words", async () => {
    await expectAll(await follow({ history }));
  });

  test("because HTTP/1.0 has no chunks", async () => {
    const following = await follow({ history }, { http: "1.0" });
    await following.report("one", "two", "three");
    const { bus, client } = following;
    client.received = "";
    for (let n = 0; n < COUNT; n++) bus.publish("s", { message: "f".repeat(200) });
    bus.end("s");
    await client.closed;
    expect(positionsIn(client.received)).toEqual(Array.from({ length: COUNT + 1 }, (_, n) => n + 4));
    expect(bus.stats().gaps).toBe(0);
  });

  test("because somebody has wrapped `write`", async () => {
    let seen = 0;
    const prepare = (res: ServerResponse): void => {
      const write = res.write.bind(res) as (...args: unknown[]) => boolean;
      res.write = (...args: unknown[]) => {
        seen += (args[0] as Uint8Array).length;
        return write(...args);
      };
    };
    await expectAll(await follow({ history }, { prepare }));
    expect(seen).toBeGreaterThan(COUNT * 200);
  });
});

describe("a host that uses the response too", () => {
  test("writes between events, and each arrives whole", async () => {
    const { bus, client, res, report } = await follow();
    await report("one", "two", "three");
    for (let n = 0; n < 20; n++) {
      bus.publish("s", { message: `${n}` });
      await bus.flush();
      res.write(`: host ${n}\n\n`);
      bus.publish("s", { message: `more ${n}` });
      if (n % 2 === 0) await turn();
    }
    bus.end("s");
    const received = await client.until("\r\n0\r\n\r\n");
    expect(positionsIn(received)).toEqual(Array.from({ length: 45 }, (_, n) => n));
    expect(received.match(/^: host \d+$/gm)).toHaveLength(20);
  });

  test.each([
    ["before much was written", []],
    ["later", ["one", "two", "three"]],
  ])("corks it %s, and stays the one who uncorks it", async (_, messages) => {
    const { bus, client, res, report } = await follow({ history: { maxEvents: 10 } });
    await report(...messages);
    res.cork();
    const corked = res.writableCorked;
    for (let n = 0; n < 100; n++) bus.publish("s", { message: `${n}` });
    await bus.flush();
    await turn();
    expect(res.writableCorked).toBe(corked);
    expect(client.received).not.toContain('"msg":"99"');
    res.uncork();
    await client.until('"msg":"99"');
    await report("four", "five", "six");
    bus.end("s");
    const received = positionsIn(await client.until("\r\n0\r\n\r\n"));
    expect(received).toEqual(Array.from({ length: messages.length + 105 }, (_, n) => n));
  });

  test("ends its socket: nothing follows, and nobody is left", async () => {
    const { bus, client, res, report } = await follow();
    await report("one", "two", "three");
    const errors: Error[] = [];
    res.socket!.on("error", (error) => errors.push(error));
    res.socket!.end();
    bus.publish("s", { message: "too late" });
    await bus.flush();
    await client.closed;
    await eventually("nobody follows", () => bus.stats().followers === 0);
    expect(client.received).not.toContain("too late");
    expect(errors).toEqual([]);
  });
});

interface ByHand {
  http?: string;
  prepare?: ((res: ServerResponse) => void) | undefined;
  words?: string[];
}

/** A peer that writes what it is told to, and a client that has got each of `words`. */
async function writeByHand({
  http = "1.1",
  prepare = () => {},
  words = ["second", "third", "fourth"],
}: ByHand = {}) {
  let peer!: ResponsePeer;
  let res!: ServerResponse;
  let drains = 0;
  const { port, close } = await serve((_req, response) => {
    res = response;
    prepare(res);
    res.writeHead(200);
    peer = new ResponsePeer(res);
    peer.listener = { onDrain: () => drains++, onClose: () => {} };
    peer.write(new SharedBytes("first"));
  });
  const client = await RawClient.connect(port);
  cleanUp(close, () => client.close());
  client.send(`GET / HTTP/${http}\r\nHost: localhost\r\n\r\n`);
  await client.until("first");
  for (const word of words) {
    peer.write(new SharedBytes(word));
    expect(peer.pending).toBe(0);
    await client.until(word);
  }
  return { peer, res, client, drains: () => drains };
}

test.each([[[]], [["second"]], [["second", "third"]]])(
  "what is corked is not overtaken, after %j",
  async (words) => {
    const { peer, res, client } = await writeByHand({ words });
    res.cork();
    // The first has no chunk of its own, as the rest of a segment has not.
    peer.write(new SharedBytes(Buffer.from("one,")));
    peer.write(new SharedBytes("two,"));
    await turn();
    res.uncork();
    peer.write(new SharedBytes("three,"));
    await turn();
    peer.write(new SharedBytes(Buffer.from("four.")));
    peer.end();
    const received = await client.until("\r\n0\r\n\r\n");
    expect(received.match(/one,|two,|three,|four\./g)).toEqual(["one,", "two,", "three,", "four."]);
  },
);

test.each([
  ["over HTTP/1.0", "1.0", undefined],
  ["over HTTP/1.1", "1.1", undefined],
  ["where `write` is wrapped", "1.1", wrap],
])("a writer that was told to wait is told to go on, %s", async (_, http, prepare) => {
  const { peer, client, drains } = await writeByHand({ http, prepare });
  for (let n = 0; n < 20; n++) {
    const before = drains();
    const length = n % 3 === 0 ? 1_000_000 : 70_000;
    const takesMore = peer.write(new SharedBytes(`#${n},${"f".repeat(length)}.`));
    if (!takesMore) await eventually("it was told to go on", () => drains() > before);
    await client.until(`#${n},${"f".repeat(100)}`);
    await client.until(/f\.(\r\n)?$/);
    client.received = "";
  }
});

describe("pending is what has not left the process", () => {
  test.each([
    ["through the response", "1.0"],
    ["past it", "1.1"],
  ])("%s", async (_, http) => {
    const { peer, client, drains } = await writeByHand({ http });
    client.socket.pause();
    const bytes = new SharedBytes("f".repeat(60_000));
    while (peer.pending === 0) {
      peer.write(bytes);
      await turn();
    }
    const drained = drains();
    for (let before = peer.pending; before < 1_000_000; before = peer.pending) {
      expect(peer.write(bytes)).toBe(false);
      expect(peer.pending - before).toBeGreaterThanOrEqual(60_000);
      expect(peer.pending - before).toBeLessThan(60_020);
      await turn();
    }
    expect(drains()).toBe(drained);
    client.socket.resume();
    await eventually("it was told to go on", () => drains() > drained);
    expect(peer.pending).toBe(0);
    peer.end();
    await client.until(http === "1.0" ? /f$/ : "\r\n0\r\n\r\n");
  });
});
