import compression from "compression";
import express5 from "express";
import express4 from "express4";
import { Hono } from "hono";
import { compress } from "hono/compress";
import { describe, expect, test } from "vitest";
import { createEventBus, type SessionEventBus } from "session-progress";
import { sseHandler } from "session-progress/express";
import { sseHandler as honoHandler } from "session-progress/hono";
import { block } from "../../docs/blocks.ts";
import { cleanups } from "../../support/cleanups.ts";
import { EventStreamClient } from "../../support/event-stream-client.ts";
import { serveFetch } from "../../support/fetch-server.ts";
import { findHaproxy, startHaproxy } from "../../support/haproxy.ts";
import { serve } from "../../support/http-server.ts";
import { findNginx, startNginx } from "../../support/nginx.ts";
import { requireProgram } from "../../support/programs.ts";

const cleanUp = cleanups();

const nginx = requireProgram("nginx", findNginx());
const haproxy = requireProgram("haproxy", findHaproxy());

/**
 * Nothing on the way may wait for more: each event is only reported when the one before has arrived, so a
 * buffer anywhere stops this for good.
 */
async function expectEachAtOnce(bus: SessionEventBus, origin: string): Promise<void> {
  const client = await EventStreamClient.open(`${origin}/events?session_id=s`, {
    headers: { "accept-encoding": "gzip, deflate, br" },
  });
  cleanUp(() => client.close());
  expect(client.headers["content-encoding"]).toBeUndefined();
  expect((await client.next()).event).toBe("ready");
  for (let i = 1; i <= 20; i++) {
    bus.publish("s", { message: `event ${i}` });
    expect((await client.next()).data).toContain(`event ${i}`);
  }
  bus.end("s");
  expect((await client.next()).event).toBe("end");
  await client.over;
}

function createBus(): SessionEventBus {
  const bus = createEventBus();
  cleanUp(() => bus.close());
  return bus;
}

describe("each event arrives before the next is reported", () => {
  test.each([
    ["Express 4", express4],
    ["Express 5", express5],
  ])("under compression() on %s", async (_, express) => {
    const bus = createBus();
    const app = express();
    app.use(compression({ threshold: 0 }));
    app.get("/events", sseHandler(bus));
    const { origin, close } = await serve(app);
    cleanUp(close);
    await expectEachAtOnce(bus, origin);
  });

  test("under Hono's compress()", async () => {
    const bus = createBus();
    const app = new Hono();
    app.use(compress());
    app.get("/events", honoHandler(bus));
    const { origin, close } = await serveFetch((request, env) => app.fetch(request, env));
    cleanUp(close);
    await expectEachAtOnce(bus, origin);
  });

  /** An app that compresses what it can, for a proxy to stand before. */
  async function setUpBehind(): Promise<{ bus: SessionEventBus; origin: string }> {
    const bus = createBus();
    const app = express5();
    app.use(compression({ threshold: 0 }));
    app.get("/", (_req, res) => void res.send("up"));
    app.get("/events", sseHandler(bus));
    const { origin, close } = await serve(app);
    cleanUp(close);
    return { bus, origin };
  }

  test.skipIf(nginx === undefined)("behind nginx with its default buffering", async () => {
    const { bus, origin } = await setUpBehind();
    const proxy = await startNginx(nginx!, origin);
    cleanUp(proxy.stop);
    await expectEachAtOnce(bus, proxy.origin);
  });

  test.skipIf(nginx === undefined)("behind nginx as the recipe has it", async () => {
    const { bus, origin } = await setUpBehind();
    const location = block("docs/recipes/operations.md", "nginx").code;
    const proxy = await startNginx(nginx!, origin, location.replace("http://127.0.0.1:3000", origin));
    cleanUp(proxy.stop);
    await expectEachAtOnce(bus, proxy.origin);
  });

  test.skipIf(haproxy === undefined)("behind HAProxy as the recipe has it", async () => {
    const { bus, origin } = await setUpBehind();
    const defaults = block("docs/recipes/operations.md", "haproxy").code;
    const proxy = await startHaproxy(haproxy!, origin, defaults);
    cleanUp(proxy.stop);
    await expectEachAtOnce(bus, proxy.origin);
  });
});
