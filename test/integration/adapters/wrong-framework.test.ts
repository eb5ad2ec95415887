import express from "express";
import fastify from "fastify";
import { H3 } from "h3";
import { Hono } from "hono";
import Koa from "koa";
import { once } from "node:events";
import { expect, test } from "vitest";
import { createEventBus } from "session-progress";
import { sseHandler as expressHandler } from "session-progress/express";
import { sseHandler as fastifyHandler } from "session-progress/fastify";
import { sseHandler as fetchHandler } from "session-progress/fetch";
import { sseHandler as honoHandler } from "session-progress/hono";
import { sseHandler as nodeHandler } from "session-progress/node";
import { serveFetch } from "../../support/fetch-server.ts";
import { serve } from "../../support/http-server.ts";

type Wrong = (...args: unknown[]) => unknown;

const bus = createEventBus();
const handlers = {
  node: nodeHandler(bus) as Wrong,
  express: expressHandler(bus) as unknown as Wrong,
  fastify: fastifyHandler(bus) as unknown as Wrong,
  fetch: fetchHandler(bus) as Wrong,
  hono: honoHandler(bus) as Wrong,
};

/** Mounts `handler` as if it were the framework's own and gives the message of what it throws. */
const mount: Record<string, (handler: Wrong) => Promise<string>> = {
  Express: async (handler) => {
    const app = express();
    app.get("/events", (req, res, next) => handler(req, res, next));
    app.use(
      ((error: Error, _req, res, _next) => void res.send(error.message)) as express.ErrorRequestHandler,
    );
    const { origin, close } = await serve(app);
    const response = await fetch(`${origin}/events`);
    const message = await response.text();
    await close();
    return message;
  },
  Hono: async (handler) => {
    const app = new Hono();
    app.get("/events", (c) => handler(c, async () => {}) as Response);
    app.onError((error, c) => c.text(error.message));
    const response = await app.request("/events");
    return response.text();
  },
  Fastify: async (handler) => {
    const app = fastify();
    app.get("/events", async (request, reply) => handler(request, reply));
    app.setErrorHandler((error: Error, _request, reply) => reply.send(error.message));
    const { body } = await app.inject("/events");
    await app.close();
    return body;
  },
  Koa: async (handler) => {
    const app = new Koa().use((ctx, next) => handler(ctx, next));
    const failed = once(app, "error") as Promise<[Error]>;
    const { origin, close } = await serve(app.callback());
    await fetch(`${origin}/events`);
    const [error] = await failed;
    await close();
    return error.message;
  },
  h3: async (handler) => {
    const app = new H3({
      onError: (error) => new Response((error.cause as Error | undefined)?.message ?? error.message),
    });
    app.get("/events", (event) => handler(event));
    return (await app.request("/events")).text();
  },
  fetch: async (handler) => {
    const { origin, close } = await serveFetch(async (request) => {
      try {
        return (await handler(request)) as Response;
      } catch (error) {
        return new Response((error as Error).message);
      }
    });
    const response = await fetch(`${origin}/events`);
    const message = await response.text();
    await close();
    return message;
  },
};

test.each([
  ["node", "Hono", "session-progress/hono"],
  ["node", "fetch", "session-progress/fetch"],
  ["node", "Fastify", "session-progress/fastify"],
  ["node", "Koa", "ctx.req, ctx.res"],
  ["express", "Hono", "session-progress/hono"],
  ["express", "Fastify", "session-progress/fastify"],
  ["fetch", "Express", "session-progress/express"],
  ["fetch", "Hono", "session-progress/hono"],
  ["fetch", "Fastify", "session-progress/fastify"],
  ["fetch", "Koa", "ctx.req, ctx.res"],
  ["fetch", "h3", "event.req"],
  ["hono", "h3", "event.req"],
  ["hono", "Express", "session-progress/express"],
  ["hono", "fetch", "session-progress/fetch"],
  ["hono", "Koa", "ctx.req, ctx.res"],
  ["fastify", "Express", "session-progress/express"],
  ["fastify", "Hono", "session-progress/hono"],
  ["fastify", "fetch", "session-progress/fetch"],
  ["fastify", "Koa", "ctx.req, ctx.res"],
] as const)("the %s handler mounted in %s says what to import", async (name, framework, remedy) => {
  const message = await mount[framework]!(handlers[name]);
  expect(message).toMatch(/^(?:TypeError: )?Expected to be called by /);
  expect(message).toContain(remedy);
});

test("what nobody passes is refused too", () => {
  expect(() => handlers.node({}, {})).toThrow("Expected to be called by Node or Express, got something else");
  expect(() => handlers.hono(undefined)).toThrow(TypeError);
});
