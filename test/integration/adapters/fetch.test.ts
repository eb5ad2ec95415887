import { expect, test } from "vitest";
import { createEventBus } from "session-progress";
import { sseHandler } from "session-progress/fetch";
import { testEventStream } from "../../contracts/event-stream.ts";
import { serveFetch } from "../../support/fetch-server.ts";

testEventStream(
  "fetch",
  async (bus, options) => {
    const { origin, server, close } = await serveFetch(sseHandler(bus, options));
    return { url: `${origin}/events`, server, close };
  },
  { middleware: false },
);

testEventStream(
  "fetch that is not told of Node's side",
  async (bus, options) => {
    const handle = sseHandler(bus, options);
    const { origin, server, close } = await serveFetch((request) => handle(request));
    return { url: `${origin}/events`, server, close };
  },
  { middleware: false, seesTurns: false },
);

test.each([
  ["transfers its chunks", (body: ReadableStream<Uint8Array>) => body.pipeThrough(transferring())],
  ["reads them as a byte stream", (body: ReadableStream<Uint8Array>) => byteStream(body)],
])("a consumer that %s takes nothing from others", async (_what, consume) => {
  const bus = createEventBus();
  const handle = sseHandler(bus);
  bus.publish("s", { message: "one" });
  const open = () => handle(new Request("http://localhost/?session_id=s"));
  const [owning, other] = [await open(), await open()];
  const owned = new Response(consume(owning.body!)).text();
  for (const message of ["two", "three"]) {
    bus.publish("s", { message });
    await bus.flush();
    expect(Buffer.from(message).toString()).toBe(message);
  }
  bus.end("s");
  const events = ["ready", "agent", "agent", "agent", "end"].map((name) => `event: ${name}`);
  for (const text of [await owned, await other.text()]) expect(text.match(/^event: .*$/gm)).toEqual(events);
  for (const length of [1, 100, 5_000]) expect(Buffer.from("x".repeat(length))).toHaveLength(length);
  // Who comes now reads the same bytes again.
  expect((await (await open()).text()).match(/^event: .*$/gm)).toEqual(events);
});

test("a consumer that takes nothing is cut off at the deadline, also when its connection was to end", async () => {
  const bus = createEventBus();
  const response = await sseHandler(bus, { writeDeadlineMs: 100 })(
    new Request("http://localhost/?session_id=s"),
  );
  for (let n = 0; n < 3; n++) {
    bus.publish("s", { message: "x".repeat(50_000) });
    await bus.flush();
  }
  bus.disconnect("s");
  await expect(response.body!.getReader().closed).rejects.toThrow("cut off");
});

test("a consumer that takes its time gets everything, then the end of its connection", async () => {
  const bus = createEventBus();
  const response = await sseHandler(bus)(new Request("http://localhost/?session_id=s"));
  for (let n = 0; n < 3; n++) {
    bus.publish("s", { message: "x".repeat(50_000) });
    await bus.flush();
  }
  bus.disconnect("s");
  const blocks = (await response.text()).match(/^id: .*$/gm);
  // The first words, and what had been written when the connection was to end.
  expect(blocks!.length).toBeGreaterThanOrEqual(2);
});

/** Hands on a clone of each chunk and leaves its buffer detached, as `postMessage` does. */
function transferring(): TransformStream<Uint8Array, Uint8Array> {
  return new TransformStream({
    transform: (chunk, controller) => {
      controller.enqueue(structuredClone(chunk, { transfer: [chunk.buffer] }));
      expect(chunk).toHaveLength(0);
    },
  });
}

function byteStream(body: ReadableStream<Uint8Array>): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  return new ReadableStream({
    type: "bytes",
    pull: async (controller) => {
      const { done, value } = await reader.read();
      if (done) controller.close();
      else controller.enqueue(value as Uint8Array<ArrayBuffer>);
    },
  });
}
