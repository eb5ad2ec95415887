import { describe, expect, test } from "vitest";
import { bindReporter, createEventBus, createReporter, type SessionEventBus } from "session-progress";
import { sseHandler as forFetch } from "session-progress/fetch";
import { sseHandler as forHono } from "session-progress/hono";
import { sseHandler as forNode } from "session-progress/node";
import { recordSession } from "session-progress/testing";
import { followOverWebSocket } from "session-progress/websocket";

type Take = (bus: SessionEventBus, options: never) => unknown;

const socket = { send: () => undefined, close: () => undefined };
const TAKERS: Readonly<Record<string, Take>> = {
  createEventBus: (_bus, options) => createEventBus(options),
  "createEventBus, `history`,": (_bus, options) => createEventBus({ history: options }),
  start: (bus, options) => bus.start(() => undefined, options),
  open: (bus, options) => bus.open(options),
  reporter: (bus, options) => bus.reporter("s", options),
  end: (bus, options) => bus.end("s", options),
  subscribe: (bus, options) => bus.subscribe("s", () => undefined, options),
  follow: (bus, options) => bus.follow("s", options),
  close: (bus, options) => bus.close(options),
  followOverWebSocket: (bus, options) => followOverWebSocket(bus, "s", socket, options),
};
const HANDLERS: Readonly<Record<string, Take>> = {
  node: forNode,
  fetch: forFetch,
  hono: (bus, options) => forHono(bus, options),
};

describe.each(Object.entries(TAKERS))("the options of %s", (name, take) => {
  test("a name that is none of them is refused, with those that are", () => {
    const bus = createEventBus();
    expect(() => take(bus, { authorise: 1 } as never)).toThrow(
      new RegExp(`^Expected the options of ${name} to be among \\w+.*; got \`authorise\`$`),
    );
    expect(bus.stats().sessions).toBe(0);
  });

  test("one that says nothing is not", () => {
    expect(() => take(createEventBus(), { authorise: undefined } as never)).not.toThrow();
  });

  test.each([["secret-id"], [null], [["secret-id"]], [8_000]])("no options at all: %j", (options) => {
    const refused = (): unknown => take(createEventBus(), options as never);
    expect(refused).toThrow(TypeError);
    expect(refused).toThrow(/^Expected the options of .* to be an object, got a (string|null|array|number)$/);
  });
});

test.each(Object.entries(HANDLERS))("a handler never ignores a misspelt `authorize`: %s", (_name, make) => {
  const bus = createEventBus();
  expect(() => make(bus, { authorise: () => false } as never)).toThrow(
    "Expected the options of sseHandler to be among session, authorize,",
  );
});

test("an outcome may be handed on to `end`; its error stays here", async () => {
  const bus = createEventBus();
  const outcome = await bus.start(() => Promise.reject(new Error("secret"))).done;
  bus.publish("s", { message: "one" });
  const seen: unknown[] = [];
  bus.subscribe("s", ({ event }) => seen.push(event), { after: "now" });
  expect(bus.end("s", outcome)).toBe(true);
  expect(seen).toEqual([expect.objectContaining({ t: "session_end", status: "failed" })]);
  expect(JSON.stringify(seen)).not.toContain("secret");
});

test.each<[string, (wrong: never) => unknown]>([
  ["bus.withSession", (wrong) => createEventBus().withSession("s", wrong)],
  ["reporter.run", (wrong) => createReporter(() => undefined).run(wrong)],
  ["bindReporter", (wrong) => bindReporter(wrong)],
])("what is to be called must be a function: %s", (_name, call) => {
  for (const wrong of [undefined, Promise.resolve(), "secret-id"]) {
    expect(() => call(wrong as never)).toThrow(/^Expected `fn` to be a function, got a value of type \w+$/);
  }
});

test("recordSession of what was called already says so", async () => {
  await expect(recordSession(Promise.resolve() as never)).rejects.toThrow("Expected `fn` to be a function");
});

test("a signal must be one", () => {
  const bus = createEventBus();
  for (const follow of [bus.follow, (id: string, options: never) => bus.subscribe(id, () => 0, options)]) {
    expect(() => follow("s", { signal: new AbortController() } as never)).toThrow(
      "Expected `signal` to be an AbortSignal, got an object",
    );
  }
  expect(() => bus.disconnect("s", "x" as never)).toThrow("Expected `where` to be a function");
});

test("a bus and its handlers may be handed the same settings", () => {
  const settings = { maxSessions: 5, keepAliveMs: 1_000 };
  expect(() => forNode(createEventBus(settings), settings)).not.toThrow();
  expect(() => createEventBus({ maxEvents: 5 } as never)).toThrow("got `maxEvents`");
});
