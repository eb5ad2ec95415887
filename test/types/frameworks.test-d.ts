import express, { type Request } from "express";
import { fastify, type FastifyRequest } from "fastify";
import { Hono } from "hono";
import { createMiddleware } from "hono/factory";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createSecureServer, type Http2ServerRequest } from "node:http2";
import { expectTypeOf, test } from "vitest";
import { createEventBus } from "session-progress";
import { sseHandler as expressHandler } from "session-progress/express";
import { sseHandler as fastifyHandler } from "session-progress/fastify";
import { sseHandler as fetchHandler } from "session-progress/fetch";
import { sseHandler as honoHandler } from "session-progress/hono";
import { sseHandler as nodeHandler } from "session-progress/node";

const bus = createEventBus();

/** As the types of Express and Hono want it: an interface of theirs, or variables of the app. */
declare module "express-serve-static-core" {
  interface Request {
    user?: { id: string };
  }
}

test("a handler is called, and awaited, as Node and Express call it", () => {
  const events = nodeHandler(bus);
  createServer(events);
  createSecureServer(nodeHandler<Http2ServerRequest>(bus));
  createServer((req, res) => expectTypeOf(events(req, res)).toEqualTypeOf<Promise<void>>());
  expectTypeOf(events).toExtend<(req: IncomingMessage, res: ServerResponse) => unknown>();

  const app = express();
  app.get("/events", (req, res) =>
    expectTypeOf(expressHandler(bus)(req, res)).toEqualTypeOf<Promise<void>>(),
  );
  app.get("/events", async (req, res, next) => expressHandler(bus)(req, res, next));
});

test("Express: an app, a router and a route take it, and its options know the request", () => {
  const app = express();
  app.get("/events", expressHandler(bus));
  app.use("/events", express.json(), expressHandler(bus));
  app.all(/^\/events/, expressHandler(bus, { session: (req) => req.params[0] }));
  app.get("/events", expressHandler(bus, { authorize: (req, _id, owner) => req.user?.id === owner }));
  app.get("/:sessionId", expressHandler(bus, { session: (req) => req.params["sessionId"] }));
  express.Router().get("/:sessionId", expressHandler(bus, { session: ({ params }) => params["sessionId"] }));
  app
    .route("/:sessionId")
    .get(expressHandler(bus, { session: async (req) => Promise.resolve(req.params.sessionId) }));
  const handle = expressHandler(bus, { session: (req) => req.get("x-session") });
  app.get("/events", handle);
  expressHandler(bus, { session: (req) => expectTypeOf(req).toEqualTypeOf<Request>() as never });
  // @ts-expect-error a request has no such property
  app.get("/events", expressHandler(bus, { authorize: (req) => req.nobody === 1 }));
  // @ts-expect-error a session id is no number
  app.get("/events", expressHandler(bus, { session: () => 7 }));
});

test("Express: parameters may be typed", () => {
  type WithId = Request<{ sessionId: string }>;
  const app = express();
  app.get("/:sessionId", expressHandler<WithId>(bus, { session: (req) => req.params.sessionId }));
  app.get("/:sessionId", expressHandler(bus, { session: ({ params }: WithId) => params.sessionId }));
});

test("Fastify: routes take it, whatever their types, and its options know the request", () => {
  const app = fastify();
  app.get("/events", fastifyHandler(bus));
  app.get("/events", { handlerTimeout: 1_000 }, fastifyHandler(bus));
  app.route({ method: ["GET", "HEAD"], url: "/events", handler: fastifyHandler(bus) });
  app.get("/events", fastifyHandler(bus, { authorize: (req, _id, owner) => req.ip === owner }));
  type WithId = FastifyRequest<{ Params: { id: string } }>;
  app.get<{ Params: { id: string } }>(
    "/:id",
    fastifyHandler<WithId>(bus, { session: ({ params }) => params.id }),
  );
  app.get("/events", async (request, reply) => fastifyHandler(bus)(request, reply));
  app.get("/:id", fastifyHandler(bus, { session: (req) => req.params.id as string }));
  fastifyHandler(bus, {
    session: ({ headers }) => expectTypeOf(headers.cookie).toEqualTypeOf<string | undefined>() as never,
  });
  const overHttp2 = fastify({ http2: true });
  overHttp2.get("/events", fastifyHandler(bus));
  // @ts-expect-error a request has no such property
  app.get("/events", fastifyHandler(bus, { authorize: (req) => req.nobody === 1 }));
});

test("Hono: with variables of the app or of middleware, typed where the handler is told", () => {
  interface AppEnv {
    Variables: { userId: string };
    Bindings: { NAME: string };
  }
  const app = new Hono<AppEnv>();
  app.get("/events", honoHandler(bus));
  app.get("/events", honoHandler(bus, { authorize: (c, _id, owner) => c.get("userId") === owner }));
  app.get("/events", honoHandler(bus, { authorize: (c) => c.var["userId"] === c.env.NAME }));
  app.get("/:id", honoHandler(bus, { session: (c) => c.req.param("id") }));
  app.get("/events", (c) => honoHandler(bus)(c));
  app.on(["GET"], "/events", honoHandler(bus));
  new Hono().get("/events", honoHandler(bus));
  const signIn = createMiddleware<AppEnv>(async (_c, next) => next());
  new Hono().get("/events", signIn, honoHandler(bus, { authorize: (c) => c.get("userId") !== "" }));
  app.get("/events", honoHandler<AppEnv>(bus, { authorize: (c) => c.get("userId").startsWith("a") }));
  // @ts-expect-error there is no such variable
  honoHandler<AppEnv>(bus, { authorize: (c) => c.get("userid") === "a" });
});

test("what says which session may say that there is none, or several", () => {
  fetchHandler(bus, {
    session: ({ url, headers }) => new URL(url).searchParams.get("s") ?? headers.get("s"),
  });
  nodeHandler(bus, { session: ({ headers }) => headers["x-session"] });
  nodeHandler(bus, { session: async ({ headers }) => Promise.resolve(headers["x-session"]) });
  // @ts-expect-error an object is no id
  nodeHandler(bus, { session: () => ({ id: "s" }) });
});

test("headers of a refusal may be those of another answer", () => {
  const from = (headers: Headers) => ({ status: 401, headers });
  nodeHandler(bus, { authorize: async () => from((await fetch("http://auth")).headers) });
  nodeHandler(bus, { authorize: ({ headers }) => ({ status: 401, headers }) });
  nodeHandler(bus, { authorize: () => ({ status: 401, headers: [["X-Why", "owner"]] as const }) });
  nodeHandler(bus, { authorize: () => ({ status: 401, headers: { "Set-Cookie": ["a=1", "b=2"] } }) });
  // @ts-expect-error a value is text
  nodeHandler(bus, { authorize: () => ({ status: 401, headers: { "X-Why": {} } }) });
});
