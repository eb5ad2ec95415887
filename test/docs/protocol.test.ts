import type { IncomingMessage } from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createEventBus, type EventBusOptions, type SessionEventBus } from "session-progress";
import { sseHandler, type SseOptions } from "session-progress/node";
import { cleanups } from "../support/cleanups.ts";
import { serve } from "../support/http-server.ts";
import { block, table } from "./blocks.ts";
import { Project } from "./program.ts";

const SESSION = "/events?session_id=s1";
const cleanUp = cleanups();

async function setUp(busOptions?: EventBusOptions, sseOptions?: SseOptions<IncomingMessage>) {
  const bus = createEventBus(busOptions);
  const { origin, close } = await serve(sseHandler(bus, sseOptions));
  cleanUp(close, () => bus.close());
  const get = (path: string, init?: RequestInit) => fetch(origin + path, init);
  return { bus, get };
}

test("the transcript is what a server sends, byte for byte but for numbers that differ each time", async () => {
  const { bus, get } = await setUp({ history: { maxEvents: 2 } }, { keepAliveMs: 30 });
  const think = { agent: "codesmith", phase: "think" } as const;
  for (const progress of [0.1, 0.2, 0.35]) {
    bus.publish("s1", { ...think, message: "Analyzing architecture", progress });
  }
  bus.publish("s1", { agent: "codesmith", message: "Read 3 of 7", progress: 3, total: 7 });
  const response = await get(SESSION);
  let text = "";
  for await (const bytes of response.body!) {
    text += new TextDecoder().decode(bytes);
    if (text.endsWith(": keep-alive\n\n")) bus.end("s1");
  }
  expect(blurred(text).replace(/(: keep-alive\n\n)+/, "$1")).toBe(
    blurred(block("PROTOCOL.md", "transcript").code),
  );
});

/** Without what differs from run to run. */
function blurred(transcript: string): string {
  return transcript
    .replaceAll(/^retry: \d+$/gm, "retry: N")
    .replaceAll(/^id: \d+-/gm, "id: E-")
    .replaceAll(/"keepAliveMs":\d+/g, '"keepAliveMs":N')
    .replaceAll(/"ts":"[^"]+"/g, '"ts":"T"');
}

test("the headers are those of the response", async () => {
  const { bus, get } = await setUp();
  bus.publish("s1", {});
  const response = await get(SESSION);
  for (const line of block("PROTOCOL.md", "headers").code.trim().split("\n")) {
    const [name = "", value] = line.split(": ");
    expect(response.headers.get(name), name).toBe(value);
  }
  expect(response.headers.get("connection")).toBe("keep-alive");
  bus.end("s1");
  await response.text();
});

describe("every answer of the table is given", () => {
  const lastId = async (bus: SessionEventBus) => {
    let id = "";
    for await (const entry of bus.follow("s1")) id = entry.id;
    return id;
  };

  const given: Record<string, () => Promise<number>> = {
    "200 the stream": async () => {
      const { bus, get } = await setUp();
      bus.publish("s1", {});
      bus.end("s1");
      const response = await get(SESSION);
      expect(await response.text()).toContain("event: end");
      return response.status;
    },
    "200 the server is closing": async () => {
      const { bus, get } = await setUp(undefined, { retryMs: 100 });
      await bus.close();
      const response = await get(SESSION);
      const retry = /^retry: (\d+)\n\n$/.exec(await response.text())?.[1];
      expect(Number(retry)).toBeGreaterThanOrEqual(100);
      expect(Number(retry)).toBeLessThanOrEqual(200);
      return response.status;
    },
    "204 the session has ended": async () => {
      const { bus, get } = await setUp();
      bus.publish("s1", {});
      bus.end("s1");
      const response = await get(SESSION, { headers: { "Last-Event-ID": await lastId(bus) } });
      expect(response.headers.get("cache-control")).toBe("no-store");
      return response.status;
    },
    "400 the session id": async () => (await (await setUp()).get("/events")).status,
    "403 not authorized": async () =>
      (await (await setUp(undefined, { authorize: () => false })).get(SESSION)).status,
    "404 nobody has opened": async () =>
      (await (await setUp(undefined, { mustExist: true })).get(SESSION)).status,
    "405 neither GET nor HEAD": async () => {
      const response = await (await setUp()).get(SESSION, { method: "POST" });
      expect(response.headers.get("allow")).toBe("GET, HEAD");
      return response.status;
    },
    "406 `Accept`": async () =>
      (await (await setUp()).get(SESSION, { headers: { Accept: "text/html" } })).status,
    "429 too many": async () => {
      const { bus, get } = await setUp({ maxFollowers: 1 });
      bus.publish("s1", {});
      const first = await get(SESSION);
      const second = await get(SESSION);
      bus.end("s1");
      await first.text();
      expect(second.headers.has("retry-after")).toBe(true);
      return second.status;
    },
    "500 the application's": async () => {
      const { bus, get } = await setUp(undefined, {
        authorize: () => {
          throw new Error("no database");
        },
      });
      bus.on("error", () => {});
      const response = await get(SESSION);
      const problem = (await response.json()) as Record<string, unknown>;
      expect(problem).toEqual({ type: "about:blank", title: "Internal Server Error", status: 500 });
      expect(response.headers.get("content-type")).toBe("application/problem+json");
      return response.status;
    },
    "503 `authorize`": async () => {
      const { bus, get } = await setUp(undefined, {
        authorize: () => new Promise(() => {}),
        writeDeadlineMs: 50,
      });
      bus.on("error", () => {});
      const response = await get(SESSION);
      expect(response.headers.has("retry-after")).toBe(true);
      return response.status;
    },
  };

  const rows = table("PROTOCOL.md", "answer");
  test.each(rows)("%s %s", async (status = "", when = "") => {
    const [, check] = Object.entries(given).find(([name]) => `${status} ${when}`.startsWith(name)) ?? [];
    expect(String(await check?.())).toBe(status);
  });

  test("and no other", () => {
    expect(Object.keys(given)).toHaveLength(rows.length);
  });
});

describe("the vendored reporter", () => {
  let project: Project;

  beforeAll(async () => {
    project = await Project.create({
      vendored: `
        import { createEventBus } from "session-progress";
        ${block("PROTOCOL.md", "vendor").code}
        console.log(report({ message: "before there is a slot" }));
        const bus = createEventBus();
        bus.subscribe("s1", ({ event }) => console.log(event.msg, event.pct));
        await bus.withSession("s1", async () => {
          await Promise.resolve();
          console.log(report({ message: "inside", progress: 1, total: 4 }));
        });
        console.log(report({ message: "outside" }));`,
      foreign: `
        import { AsyncLocalStorage } from "node:async_hooks";
        import { createReporter, reportProgress } from "session-progress";
        const slot = Symbol.for("session-progress/context/v1");
        const storage = new AsyncLocalStorage();
        globalThis[slot] = storage;
        const reporter = { report: (what) => (console.log(what.message), true) };
        storage.run({ reporter }, () => reportProgress({ message: "foreign" }));
        createReporter(() => {}).run(() => console.log(storage.getStore() !== undefined));
        console.log(globalThis[slot] === storage);`,
    });
  });

  afterAll(() => project.dispose());

  test("reports to whichever session its caller runs in, and to none outside", async () => {
    expect(await project.run("vendored")).toEqual(["false", "inside 0.25", "true", "false"]);
  });

  test("a storage that is in the slot already is used, not replaced", async () => {
    expect(await project.run("foreign")).toEqual(["foreign", "true", "true"]);
  });
});
