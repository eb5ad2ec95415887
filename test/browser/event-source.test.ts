import type { RequestListener } from "node:http";
import type { Page } from "playwright-core";
import express from "express";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createEventBus, type SessionEventBus } from "session-progress";
import { sseHandler } from "session-progress/express";
import { type Browser, findChromium, launchChromium } from "../support/chromium.ts";
import { cleanups } from "../support/cleanups.ts";
import { serve } from "../support/http-server.ts";
import { requireProgram } from "../support/programs.ts";

/** What the page tells of its `EventSource`. */
interface Sighting {
  readonly type: string;
  readonly id: string | undefined;
  readonly data: Record<string, unknown> | undefined;
  readonly readyState: number;
}

/** Hands out what the page saw, in order, waiting for it. */
class Sightings {
  readonly #seen: Sighting[] = [];
  #wake: () => void = () => {};

  readonly add = (sighting: Sighting): void => {
    this.#seen.push(sighting);
    this.#wake();
  };

  /** Up to and including the first of this type. */
  async until(type: string, wanted: (sighting: Sighting) => boolean = () => true): Promise<Sighting[]> {
    const sightings: Sighting[] = [];
    for (;;) {
      const next = this.#seen.shift();
      if (next === undefined) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        continue;
      }
      sightings.push(next);
      if (next.type === type && wanted(next)) return sightings;
    }
  }
}

const chromium = requireProgram("chromium", findChromium());

describe.skipIf(chromium === undefined)("a browser's own EventSource", () => {
  let browser: Browser;
  const cleanUp = cleanups();

  beforeAll(async () => {
    browser = await launchChromium(chromium!);
  });

  afterAll(() => browser.close(), 20_000);

  /** Requests for the stream: the last event ID that came along, and the status they got. */
  type Requests = { lastEventId: string | undefined; status: number }[];

  function application(bus: SessionEventBus, requests: Requests): RequestListener {
    const app = express();
    app.get("/", (_req, res) => {
      res.type("html").send("<!doctype html><title>EventSource</title>");
    });
    app.use("/events", (req, res, next) => {
      const request = { lastEventId: req.get("last-event-id"), status: 0 };
      requests.push(request);
      const { writeHead } = res;
      res.writeHead = (status: number, ...rest: never[]) => {
        request.status = status;
        return writeHead.call(res, status, ...rest);
      };
      next();
    });
    app.get("/events", sseHandler(bus, { retryMs: 50 }));
    return app;
  }

  async function serveApplication(bus: SessionEventBus, requests: Requests, port?: number) {
    const running = await serve(application(bus, requests), port);
    const stop = async (): Promise<void> => {
      await bus.close();
      await running.close();
    };
    cleanUp(stop);
    return { ...running, stop };
  }

  async function follow(origin: string): Promise<Sightings> {
    const page: Page = await browser.context.newPage();
    cleanUp(() => page.close());
    const sightings = new Sightings();
    await page.exposeFunction("tell", sightings.add);
    await page.goto(origin);
    await page.evaluate(() => {
      const { tell } = globalThis as unknown as { tell(sighting: object): void };
      const source = new EventSource("/events?session_id=s");
      for (const type of ["open", "error", "message", "ready", "agent", "run", "gap", "end"]) {
        source.addEventListener(type, (event) => {
          const { lastEventId, data } = event as MessageEvent<string | undefined>;
          tell({
            type,
            id: lastEventId,
            data: data === undefined ? undefined : (JSON.parse(data) as unknown),
            readyState: source.readyState,
          });
        });
      }
    });
    return sightings;
  }

  /** A page that follows session `s` of a bus of its own. */
  async function followNew() {
    const bus = createEventBus();
    const requests: Requests = [];
    const { origin } = await serveApplication(bus, requests);
    return { bus, requests, sightings: await follow(origin) };
  }

  test("sees events by name and nothing as `message`, and stops for good after the end", async () => {
    const { bus, requests, sightings } = await followNew();
    await sightings.until("ready");
    const { epoch } = bus.reporter("s");
    bus.publish("s", { agent: "codesmith", message: "naïve 日本語 🧪\nsecond line", progress: 0.5 });
    bus.end("s", { message: "done" });

    const upToEnd = await sightings.until("end");
    expect(upToEnd.map(({ type, id }) => [type, id])).toEqual([
      ["agent", `${epoch}-1`],
      ["end", `${epoch}-2`],
    ]);
    expect(upToEnd[0]!.data).toMatchObject({ msg: "naïve 日本語 🧪\nsecond line", pct: 0.5 });
    expect(upToEnd[1]!.data).toMatchObject({ t: "session_end", status: "completed", msg: "done" });

    const CLOSED = 2;
    const afterwards = await sightings.until("error", ({ readyState }) => readyState === CLOSED);
    expect(new Set(afterwards.map(({ type }) => type))).toEqual(new Set(["error"]));
    expect(requests).toEqual([
      { lastEventId: undefined, status: 200 },
      { lastEventId: `${epoch}-2`, status: 204 },
    ]);
  });

  test("comes back after bus.disconnect with its last event ID and misses nothing", async () => {
    const { bus, requests, sightings } = await followNew();
    await sightings.until("ready");
    const { epoch } = bus.reporter("s");
    bus.publish("s", { message: "one" });
    await sightings.until("agent");
    for (let round = 1; round <= 3; round++) {
      bus.disconnect("s");
      bus.publish("s", { message: "while it was away" });
      const seen = await sightings.until("agent");
      expect(seen.map(({ type }) => type)).toEqual(["error", "open", "ready", "agent"]);
      expect(seen[2]).toMatchObject({ id: `${epoch}-${round}`, data: { resume: "resumed" } });
      expect(seen[3]!.id).toBe(`${epoch}-${round + 1}`);
    }
    expect(requests.slice(1).map(({ lastEventId }) => lastEventId)).toEqual(
      [1, 2, 3].map((position) => `${epoch}-${position}`),
    );
  });

  test("is told of a reset by a server that was started anew, and follows the new log", async () => {
    const before = createEventBus();
    const requests: Requests = [];
    const { origin, port, stop } = await serveApplication(before, requests);
    const sightings = await follow(origin);
    before.publish("s", { message: "before" });
    const [seen] = (await sightings.until("agent")).slice(-1);
    await stop();

    const after = createEventBus();
    const { epoch } = after.reporter("s");
    after.publish("s", { message: "after" });
    await serveApplication(after, requests, port);
    const events = (await sightings.until("agent")).filter(({ type }) => type !== "error");
    expect(events.map(({ type, id }) => [type, id])).toEqual([
      ["open", undefined],
      ["ready", `${epoch}-0`],
      ["gap", `${epoch}-0`],
      ["agent", `${epoch}-1`],
    ]);
    expect(events[1]!.data).toMatchObject({ resume: "reset" });
    expect(events[2]!.data).toEqual({ t: "gap", reason: "reset" });
    expect(events[3]!.data).toMatchObject({ msg: "after" });
    expect(requests.at(-1)).toEqual({ lastEventId: seen!.id, status: 200 });
  });

  test("that comes before the session is opened joins it", async () => {
    const { bus, sightings } = await followNew();
    const [, ready] = await sightings.until("ready");
    expect(ready!.id).toBe("0-0");
    bus.start(({ reporter }) => reporter.report({ message: "hello" }), { sessionId: "s" });
    const seen = await sightings.until("end");
    expect(seen.map(({ type }) => type)).toEqual(["agent", "end"]);
  });
});
