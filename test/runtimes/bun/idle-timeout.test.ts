import { Hono } from "hono";
import { expect, test } from "vitest";
import { createEventBus } from "session-progress";
import { sseHandler as forFetch } from "session-progress/fetch";
import { sseHandler as forHono } from "session-progress/hono";
import { cleanups } from "../../support/cleanups.ts";
import { EventStreamClient } from "../../support/event-stream-client.ts";
import { serveBun } from "./serve-bun.ts";

const cleanUp = cleanups();

test("a quiet stream outlives Bun's idle timeout", async () => {
  const bus = createEventBus();
  cleanUp(bus.close);
  const rare = { keepAliveMs: 600_000 };
  const later = { ...rare, authorize: () => Promise.resolve(true) };
  const bare = forFetch(bus);
  const bareHono = new Hono().get("/events", forHono(bus));
  const clients: EventStreamClient[] = [];
  for (const fetch of [
    forFetch(bus, rare),
    forFetch(bus, later),
    new Hono().get("/events", forHono(bus, rare)).fetch,
    (
      (app) => (request: Request, server: Bun.Server) =>
        app.fetch(request, { server })
    )(new Hono().get("/events", forHono(bus, rare))),
    // These are not handed Bun's server: all that helps is a keep-alive that comes sooner.
    (request: Request) => bare(request),
    (request: Request) => bareHono.fetch(request),
  ]) {
    const { url, close } = await serveBun(fetch);
    cleanUp(close);
    const client = await EventStreamClient.open(`${url}?session_id=s`);
    await client.until("ready");
    clients.push(client);
  }

  // Silent for less long than the others, and of nobody who knows Bun.
  const silent = await serveBun(() => new Response(new ReadableStream({ start: (c) => c.enqueue("x") })));
  cleanUp(silent.close);
  await expect((await EventStreamClient.open(silent.url)).over).resolves.toBe("cut");

  bus.publish("s", { message: "still there" });
  for (const client of clients) expect((await client.until("agent")).at(-1)!.data).toContain("still there");
}, 60_000);
