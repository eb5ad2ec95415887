import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { block } from "./blocks.ts";
import { Project } from "./program.ts";

const recipe = (file: string, tag: string): string => block(`docs/recipes/${file}.md`, tag).code;

const BUS = `
import { createEventBus } from "session-progress";
const bus = createEventBus();
`;
const APP = `
import express from "express";
${BUS}
const app = express().use(express.json());
const tell = (server) => server.once("listening", () => console.log(server.address().port));
`;
const ACCESS = `${APP}
const answer = (_question, signal) => new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason)));
${recipe("access", "cookie")}
app.post("/login/:user", (req, res) => ((req.session.userId = req.params.user), res.end()));
app.post("/logout", (req, res) => req.session.destroy(() => res.end()));
app.get("/me", (req, res) => res.send(req.session.userId ?? "nobody"));
${recipe("access", "stop")}
tell(app.listen(0, "127.0.0.1"));
`;
const SHUT_DOWN = `${APP}
app.post("/runs/:kind", (req, res) => {
  const { sessionId } = bus.start(({ signal }) => new Promise((resolve, reject) => {
    if (req.params.kind === "short") process.once("SIGTERM", () => setImmediate(resolve));
    if (req.params.kind === "held") process.once("release", resolve);
    if (req.params.kind === "instant") resolve();
    signal.onabort = () => reject(signal.reason);
  }));
  res.send(sessionId);
});
app.post("/release", (_req, res) => (process.emit("release"), res.end()));
app.get("/events", sseHandler(bus));
import { sseHandler } from "session-progress/express";
${recipe("operations", "shut-down").replace("listen(3000)", 'listen(0, "127.0.0.1")').replace("8_000", "Number(process.env.GRACE_MS)")}
tell(server);
`;
const NEST = `
${recipe("frameworks", "nest").replace("AppModule)", "AppModule, { logger: false })").replace("listen(3000)", 'listen(0, "127.0.0.1")')}
await app.get(Progress).bus.open({ sessionId: "open" });
console.log(app.getHttpServer().address().port);
`;

const PROGRAMS = {
  access: ACCESS,
  resave: ACCESS.replace("resave: false", "resave: true"),
  express: `${APP}${recipe("access", "cors-express")} tell(app.listen(0, "127.0.0.1"));`,
  hono: `${BUS}
    import { serve } from "@hono/node-server";
    import { Hono } from "hono";
    const hono = new Hono();
    ${recipe("access", "cors-hono")}
    serve({ fetch: hono.fetch, port: 0, hostname: "127.0.0.1" }, ({ port }) => console.log(port));`,
  fastify: `${BUS}
    import Fastify from "fastify";
    const fastify = Fastify();
    ${recipe("access", "cors-fastify")}
    await fastify.listen({ port: 0, host: "127.0.0.1" });
    console.log(fastify.server.address().port);`,
  "shut-down": SHUT_DOWN,
  nest: NEST,
};

let project: Project;

beforeAll(async () => {
  const tsconfig = JSON.stringify({ compilerOptions: { experimentalDecorators: true } });
  project = await Project.create(PROGRAMS, { "tsconfig.json": tsconfig });
});

afterAll(() => project.dispose());

interface Program {
  readonly origin: string;
  readonly process: ChildProcess;
}

/** Starts a program and waits for the port that it prints. */
async function run(name: keyof typeof PROGRAMS, env: Record<string, string> = {}): Promise<Program> {
  const child = project.start(name, env);
  child.stderr?.pipe(process.stderr);
  const [port] = (await once(child.stdout!, "data")) as [Buffer];
  return { origin: `http://127.0.0.1:${String(port).trim()}`, process: child };
}

async function started(response: Promise<Response>): Promise<string> {
  return ((await (await response).json()) as { sessionId: string }).sessionId;
}

/** A browser's fetch: it keeps the cookie. */
async function login(origin: string, user: string) {
  const answer = await fetch(`${origin}/login/${user}`, { method: "POST" });
  const cookie = answer.headers.get("set-cookie")!.split(";")[0]!;
  return (path: string, method = "GET") =>
    fetch(origin + path, {
      method,
      headers: { Cookie: cookie, "Content-Type": "application/json" },
      body: method === "POST" ? "{}" : null,
    });
}

describe("access", () => {
  test("a session is followed by its owner alone, and stopped by whoever started it alone", async () => {
    const { origin } = await run("access");
    const alice = await login(origin, "alice");
    const bob = await login(origin, "bob");
    const id = await started(alice("/jobs", "POST"));
    expect((await fetch(`${origin}/my/events?session_id=${id}`)).status).toBe(401);
    expect((await bob(`/my/events?session_id=${id}`)).status).toBe(403);
    const stream = await alice(`/my/events?session_id=${id}`);
    for (const stop of [bob(`/jobs/${id}`, "DELETE"), fetch(`${origin}/jobs/${id}`, { method: "DELETE" })]) {
      expect((await stop).status).toBe(404);
    }
    expect((await alice(`/jobs/${id}`, "DELETE")).status).toBe(204);
    expect(await stream.text()).toContain('"status":"cancelled","msg":"Stopped by hand"');
    expect((await alice(`/jobs/${id}`, "DELETE")).status).toBe(404);
  });

  test("a session that nobody may stop is followed by its owner alone too", async () => {
    const { origin } = await run("access");
    const alice = await login(origin, "alice");
    const bob = await login(origin, "bob");
    const id = await started(alice("/my/runs", "POST"));
    expect((await alice(`/jobs/${id}`, "DELETE")).status).toBe(404);
    expect((await bob(`/my/events?session_id=${id}`)).status).toBe(403);
    const stream = await alice(`/my/events?session_id=${id}`);
    expect(stream.status).toBe(200);
    await stream.body!.cancel();
  });

  test.each([
    ["access", "nobody"],
    ["resave", "alice"],
  ] as const)("who logs out while a stream is open: after its end %s says %s", async (name, whom) => {
    const { origin } = await run(name);
    const alice = await login(origin, "alice");
    const other = await login(origin, "alice");
    const id = await started(alice("/jobs", "POST"));
    const stream = await alice(`/my/events?session_id=${id}`);
    await alice("/logout", "POST");
    await other(`/jobs/${id}`, "DELETE");
    await stream.text();
    expect(await (await alice("/me")).text()).toBe(whom);
  });

  test.each(["express", "hono", "fastify"] as const)(
    "another origin may preflight and follow, on %s",
    async (name) => {
      const { origin } = await run(name);
      const Origin = "https://www.example.com";
      const url = `${origin}/events?session_id=s1`;
      const preflight = await fetch(url, {
        method: "OPTIONS",
        headers: {
          Origin,
          "Access-Control-Request-Method": "GET",
          "Access-Control-Request-Headers": "authorization,last-event-id",
        },
      });
      expect(preflight.status).toBe(204);
      const allowed = preflight.headers.get("access-control-allow-headers")!.toLowerCase().split(/, ?/);
      expect(allowed).toEqual(expect.arrayContaining(["authorization", "last-event-id"]));
      const stream = await fetch(url, { headers: { Origin, Authorization: "Bearer x" } });
      for (const { headers } of [preflight, stream]) {
        expect(headers.get("access-control-allow-origin")).toBe(Origin);
        expect(headers.get("access-control-allow-credentials")).toBe("true");
      }
      expect(stream.headers.get("content-type")).toContain("text/event-stream");
      await stream.body!.cancel();
    },
  );
});

describe("shutting down", () => {
  test.each([
    ["short", "a run that ends within its grace ends for its followers"],
    ["endless", "a run that does not is cut off, and its followers come back"],
  ])("%s: %s; the process exits 0", async (kind) => {
    const { origin, process: child } = await run("shut-down", { GRACE_MS: "500" });
    const exited = once(child, "exit");
    const id = await (await fetch(`${origin}/runs/${kind}`, { method: "POST" })).text();
    const stream = await fetch(`${origin}/events?session_id=${id}`);
    child.kill("SIGTERM");
    const received = await stream.text();
    expect(received.includes("event: end")).toBe(kind === "short");
    expect(received).toMatch(kind === "short" ? /"status":"completed"/ : /retry: \d+\n\n$/);
    expect(await exited).toEqual([0, null]);
  });

  test("who asks for a run in the grace period gets 503, over a connection that closes", async () => {
    const { origin, process: child } = await run("shut-down", { GRACE_MS: "8000" });
    const exited = once(child, "exit");
    const start = (kind: string) => fetch(`${origin}/runs/${kind}`, { method: "POST" });
    await start("held");
    child.kill("SIGTERM");
    let answer = await start("instant");
    while (answer.ok) answer = await start("instant"); // the signal is still on its way
    expect(answer.status).toBe(503);
    expect(answer.headers.get("connection")).toBe("close");
    await fetch(`${origin}/release`, { method: "POST" });
    expect(await exited).toEqual([0, null]);
  });
});

test("NestJS: a run's stream to its end, 404 for none, and an orderly shutdown with a follower there", async () => {
  const { origin, process: child } = await run("nest");
  const exited = once(child, "exit");
  const id = await started(fetch(`${origin}/runs`, { method: "POST" }));
  const stream = await (await fetch(`${origin}/events?session_id=${id}`)).text();
  expect(stream).toContain('"msg":"from a provider"');
  expect(stream).toContain("event: end");
  expect((await fetch(`${origin}/events?session_id=none`)).status).toBe(404);
  const open = await fetch(`${origin}/events?session_id=open`);
  child.kill("SIGTERM");
  expect(await open.text()).toMatch(/retry: \d+\n\n$/);
  await exited;
});
