import { createContext, runInContext } from "node:vm";
import { build } from "esbuild";
import { describe, expect, test } from "vitest";
import { entries, project, specifierOf } from "./installed.ts";

/** What pages and workers have, and nothing of Node. */
const BROWSER = [
  ["AbortController", "AbortSignal", "DOMException", "Event", "EventTarget", "MessageChannel"],
  ["ReadableStream", "Request", "Response", "TextDecoder", "TextEncoder", "URL", "URLSearchParams"],
  ["atob", "btoa", "clearInterval", "clearTimeout", "console", "crypto", "performance", "queueMicrotask"],
  ["setInterval", "setTimeout", "structuredClone"],
].flat();

/** Bundles `source` as a browser's bundler would; an import of a `node:` module fails the build. */
async function bundle(source: string) {
  const { outputFiles, metafile } = await build({
    stdin: { contents: source, resolveDir: project },
    bundle: true,
    write: false,
    format: "iife",
    globalName: "bundle",
    platform: "browser",
    conditions: ["browser"],
    metafile: true,
    logLevel: "silent",
  });
  const [{ imports, inputs }] = Object.values(metafile.outputs) as [(typeof metafile.outputs)[string]];
  return { text: outputFiles[0]!.text, imports, inputs: Object.keys(inputs) };
}

/** Evaluates a bundle where there is no `process`, no `Buffer` and no `setImmediate`. */
function evaluate(text: string): unknown {
  const globals = Object.fromEntries(
    BROWSER.map((name) => [name, globalThis[name as keyof typeof globalThis]]),
  );
  const context = createContext(globals);
  expect(runInContext("[typeof process, typeof Buffer, typeof setImmediate].join()", context)).toBe(
    "undefined,undefined,undefined",
  );
  return runInContext(`${text}\nbundle.answer;`, context);
}

describe("in a browser", () => {
  test("the main entry works, without a context", async () => {
    const { text, imports } = await bundle(`
      import { bindReporter, createEventBus, createReporter, createSessionId, currentReporter, reportProgress,
        withAgent } from "session-progress";
      const messages = [];
      const reporter = createReporter((event) => messages.push(event.agent + ": " + event.msg));
      reporter.report({ message: "explicit", progress: 1, total: 2, data: { n: 1 } });
      const ambient = reporter.run(() => reportProgress({ message: "nowhere" }));
      const bus = createEventBus();
      const id = createSessionId();
      bus.subscribe(id, ({ event }) => messages.push(event.msg ?? event.t));
      const { done } = bus.start(async ({ reporter }) => {
        await null;
        reporter.report({ message: "from a run" });
      }, { sessionId: id });
      export const answer = (async () => {
        await done;
        await bus.close();
        return {
          messages,
          ambient: [ambient, reportProgress({}), withAgent("a", () => currentReporter()), bindReporter(() => 1)()],
          id,
        };
      })();
    `);
    expect(imports).toEqual([]);
    expect(await evaluate(text)).toEqual({
      messages: ["agent: explicit", "from a run", "session_end"],
      ambient: [false, false, undefined, 1],
      id: expect.stringMatching(/^[\w-]{22}$/),
    });
  });

  test("an AsyncLocalStorage on globalThis, as edge runtimes have it, is taken for the context", async () => {
    const { text } = await bundle(`
      globalThis.AsyncLocalStorage = class {
        run(store, fn, ...args) {
          const before = this.store;
          this.store = store;
          try { return fn(...args); } finally { this.store = before; }
        }
        getStore() { return this.store; }
      };
      const { createReporter, reportProgress } = require("session-progress");
      const messages = [];
      createReporter((event) => messages.push(event.msg)).run(() => reportProgress({ message: "ambient" }));
      export const answer = messages;
    `);
    expect(evaluate(text)).toEqual(["ambient"]);
  });

  test("the fetch handler streams, in a service worker for one", async () => {
    const { text, imports } = await bundle(`
      import { createEventBus } from "session-progress";
      import { sseHandler } from "session-progress/fetch";
      const bus = createEventBus();
      const handle = sseHandler(bus);
      export const answer = (async () => {
        const response = await handle(new Request("http://localhost/?session_id=s"));
        bus.publish("s", { message: "hello" });
        bus.end("s");
        const text = await response.text();
        await bus.close();
        return text;
      })();
    `);
    expect(imports).toEqual([]);
    expect(await evaluate(text)).toMatch(/"resume":"fresh"[^]*"msg":"hello"[^]*event: end\n/);
  });

  test.each(["session-progress/websocket", "session-progress/testing"])("%s loads", async (specifier) => {
    const { text, imports } = await bundle(`
      import * as entry from "${specifier}";
      export const answer = Object.keys(entry).length > 0;
    `);
    expect(imports).toEqual([]);
    expect(evaluate(text)).toBe(true);
  });
});

test.each(entries.map(specifierOf))(
  "%s loads where nothing is global but JavaScript's own",
  async (specifier) => {
    const { text } = await bundle(`
    import * as entry from "${specifier}";
    export const answer = Object.keys(entry).length > 0;
  `);
    expect(runInContext(`${text}\nbundle.answer;`, createContext({}))).toBe(true);
  },
);

describe("what a bundle pulls in", () => {
  test("session-progress/sse is the encoder alone", async () => {
    const { inputs, text } = await bundle(`
      import { encodeEvent } from "session-progress/sse";
      export const answer = encodeEvent({ data: "x" });
    `);
    expect(text).not.toMatch(/node:|AsyncLocalStorage|class /);
    expect(inputs.filter((name) => name.includes("session-progress"))).toHaveLength(2);
    expect(evaluate(text)).toBe("data: x\n\n");
  });

  test("reportProgress alone does not bring the bus", async () => {
    const { text } = await bundle(`
      import { reportProgress } from "session-progress";
      export const answer = reportProgress({ message: "nowhere" });
    `);
    expect(text).not.toContain("maxTotalBytes");
    expect(evaluate(text)).toBe(false);
  });
});
