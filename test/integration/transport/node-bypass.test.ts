import type { HttpBindings } from "@hono/node-server";
import { type Context, Hono, type MiddlewareHandler } from "hono";
import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { describe, expect, test } from "vitest";
import { createEventBus } from "session-progress";
import { sseHandler, type SseOptions } from "session-progress/hono";
import { unchunk } from "../../support/chunked-body.ts";
import { cleanups } from "../../support/cleanups.ts";
import { serveFetch } from "../../support/fetch-server.ts";
import { RawClient } from "../../support/raw-client.ts";

const cleanUp = cleanups();

const MESSAGES = ["one", "zwölf", "三", "four", "five", "six"];

/** Follows a session over Hono on Node, through `middleware`, and reports each message when the last has arrived. */
async function follow(
  middleware: MiddlewareHandler = (_c, next) => next(),
  options: SseOptions<Context> = {},
) {
  const bus = createEventBus();
  const app = new Hono<{ Bindings: HttpBindings }>();
  let res!: ServerResponse;
  let framed = 0;
  app.use((c, next) => {
    res = c.env.outgoing;
    const socket = res.socket!;
    const write = socket.write.bind(socket) as (...args: unknown[]) => boolean;
    socket.write = (...args: unknown[]) => {
      if (/^[0-9a-f]+\r\n.*\r\n$/s.test(String(args[0]))) framed++;
      return write(...args);
    };
    return next();
  });
  app.use(middleware);
  app.get("/events", sseHandler(bus, options));
  const { origin, close } = await serveFetch((request, env) => app.fetch(request, env));
  const port = Number(new URL(origin).port);
  const client = await RawClient.connect(port);
  cleanUp(
    close,
    () => bus.close(),
    () => client.close(),
  );
  client.get("/events?session_id=s");
  await client.until("ready");
  return {
    bus,
    client,
    port,
    res,
    /** Chunks that went to the socket whole. */
    framed: () => framed,
    async report(messages: readonly string[] = MESSAGES, changed = (text: string) => text) {
      for (const message of messages) {
        bus.publish("s", { message });
        await client.until(changed(`"msg":"${message}"`));
      }
    },
    /** The body until the end of the session, out of its chunks. */
    async body(): Promise<string> {
      bus.end("s");
      return unchunk(await client.until("\r\n0\r\n\r\n"));
    },
  };
}

const messagesIn = (body: string): string[] => [...body.matchAll(/"msg":"(.*?)"/g)].map(([, msg]) => msg!);

test("whole chunks go straight to the socket as soon as one was seen to arrive there", async () => {
  const { res, framed, report, body } = await follow();
  // One chunk is seen to arrive, the next takes the headers' place, a third is seen to be sent as a chunk.
  await report();
  const before = framed();
  const more = Array.from({ length: 50 }, (_, n) => `turn ${n}`);
  await report(more);
  expect(framed() - before).toBe(more.length);
  expect(Object.hasOwn(res, "write")).toBe(false);
  expect(messagesIn(await body())).toEqual([...MESSAGES, ...more]);
});

test("events of one turn keep their order, before the shortcut and after it", async () => {
  const { bus, client, report, body } = await follow();
  const sent: string[] = [];
  for (let turn = 0; turn < 5; turn++) {
    for (let n = 0; n < 30; n++) {
      sent.push(`${turn}.${n} ${"x".repeat(n * 50)}`);
      bus.publish("s", { message: sent.at(-1)! });
      if (n % 7 === 0) await bus.flush();
    }
    await client.until(`"msg":"${turn}.29`);
  }
  await report();
  expect(messagesIn(await body())).toEqual([...sent, ...MESSAGES]);
});

describe("a middleware that reads the body sees every byte", () => {
  test("through a TransformStream", async () => {
    const { framed, report, body } = await follow(async (c, next) => {
      await next();
      const renamed = new TransformStream<Uint8Array, Uint8Array>({
        transform(chunk, controller) {
          controller.enqueue(Buffer.from(Buffer.from(chunk).toString().replaceAll("msg", "said")));
        },
      });
      c.res = new Response(c.res.body!.pipeThrough(renamed), c.res);
    });
    await report(MESSAGES, (text) => text.replace("msg", "said"));
    expect(framed()).toBe(0);
    expect(await body()).not.toContain("msg");
  });

  test("through a TransformStream that hands on the very same chunks", async () => {
    let seen = 0;
    const { framed, report, body } = await follow(async (c, next) => {
      await next();
      const counting = new TransformStream<Uint8Array, Uint8Array>({
        transform(chunk, controller) {
          seen += chunk.length;
          controller.enqueue(chunk);
        },
      });
      c.res = new Response(c.res.body!.pipeThrough(counting), c.res);
    });
    await report();
    expect(framed()).toBe(0);
    expect(Buffer.byteLength(await body())).toBe(seen);
  });

  test("through a reader of its own that hands on the very same chunks", async () => {
    let seen = 0;
    const { framed, report, body } = await follow(async (c, next) => {
      await next();
      const reader = c.res.body!.getReader();
      const counted = new ReadableStream<Uint8Array>({
        async pull(controller) {
          const { done, value } = await reader.read();
          if (done) controller.close();
          else {
            seen += value.length;
            controller.enqueue(value);
          }
        },
      });
      c.res = new Response(counted, c.res);
    });
    await report();
    expect(framed()).toBe(0);
    expect(Buffer.byteLength(await body())).toBe(seen);
  });

  test("that only adds headers takes nothing away", async () => {
    const { client, framed, report } = await follow(async (c, next) => {
      await next();
      c.header("X-After", "yes");
    });
    await report();
    expect(client.received).toMatch(/^x-after: yes\r$/im);
    expect(framed()).toBeGreaterThan(0);
  });
});

test("whoever wraps `write` of the response later sees what follows", async () => {
  const { res, report, body } = await follow();
  await report();
  const write = res.write.bind(res) as (chunk: Uint8Array) => boolean;
  let seen = "";
  res.write = ((chunk: Uint8Array) => {
    seen += Buffer.from(chunk).toString();
    return write(chunk);
  }) as ServerResponse["write"];
  await report(["seven", "eight"]);
  expect(messagesIn(await body())).toEqual([...MESSAGES, "seven", "eight"]);
  expect(messagesIn(seen)).toEqual(["seven", "eight"]);
  expect(seen).toContain("event: end");
});

test("whoever wraps `write` of the response while it is watched sees what follows", async () => {
  let seen = "";
  let asked = 0;
  const { bus, client, res, report, body, port } = await follow(undefined, {
    filter: () => {
      // The first follower was written to and is watched when the second is asked about the same event.
      if (++asked === 2) {
        const write = first.write.bind(first) as (chunk: Uint8Array) => boolean;
        first.write = ((chunk: Uint8Array) => {
          seen += Buffer.from(chunk).toString();
          return write(chunk);
        }) as ServerResponse["write"];
      }
      return true;
    },
  });
  const first = res;
  const second = await RawClient.connect(port);
  cleanUp(() => second.close());
  second.get("/events?session_id=s");
  await second.until("ready");
  await report();
  expect(bus.stats().followers).toBe(2);
  expect(messagesIn(await body())).toEqual(MESSAGES);
  expect(messagesIn(seen)).toEqual(MESSAGES);
  expect(client.received).toContain("event: end");
});

test("a follower that was cut off leaves nothing behind", async () => {
  const { bus, client, report } = await follow();
  await report();
  expect(bus.stats().followers).toBe(1);
  client.socket.resetAndDestroy();
  await expect.poll(() => bus.stats().followers).toBe(0);
});

test("`disconnect` ends the response", async () => {
  const { bus, client, report } = await follow();
  await report();
  bus.disconnect("s");
  expect(await client.until("\r\n0\r\n\r\n")).not.toContain("event: end");
});

test("a client that takes nothing is cut off at the deadline, also when its connection was to end", async () => {
  const { bus, client, res, report } = await follow(undefined, { writeDeadlineMs: 100 });
  await report();
  client.socket.pause();
  const closed = once(res, "close");
  while (res.writableLength === 0) {
    bus.publish("s", { message: "x".repeat(50_000) });
    await bus.flush();
  }
  bus.disconnect("s");
  await closed;
  expect(res.destroyed).toBe(true);
});
