import { execFile } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { project } from "./installed.ts";

const tsc = createRequire(import.meta.url).resolve("typescript/bin/tsc");

/** What compiles everywhere: the types of every entry meet in one program, and `Register` reaches them all. */
const server = `
import express from "express";
import { fastify } from "fastify";
import { Hono } from "hono";
import { createServer } from "node:http";
import {
  bindReporter, createEventBus, createReporter, createSessionId, currentReporter, isSessionProgressError,
  reportProgress, withAgent, type Outcome, type Reporter, type SessionEvent, type Sink,
} from "session-progress";
import { sseHandler as expressHandler } from "session-progress/express";
import { sseHandler as fastifyHandler } from "session-progress/fastify";
import { sseHandler as fetchHandler } from "session-progress/fetch";
import { sseHandler as honoHandler } from "session-progress/hono";
import { sseHandler as nodeHandler } from "session-progress/node";
import { encodeEvent } from "session-progress/sse";
import { createRecorder, recordSession } from "session-progress/testing";
import { followOverWebSocket } from "session-progress/websocket";

declare module "session-progress" {
  interface Register {
    data: { file: string };
  }
}

const bus = createEventBus();
bus.on("end", (sessionId: string, outcome: Outcome) => void [sessionId, outcome.error]);
// @ts-expect-error: no hook of that name
bus.on("ended", () => {});
// @ts-expect-error: hooks have typed arguments
bus.on("drop", (sessionId: number) => void sessionId);

express().get("/events", expressHandler(bus, { authorize: (req, id, owner) => req.ip === owner && id !== "" }));
new Hono().get("/events", honoHandler(bus, { filter: (event, c) => event.agent === c.req.query("agent") }));
fastify().get("/events", fastifyHandler(bus, { authorize: (req, id, owner) => req.ip === owner && id !== "" }));
const GET: (request: Request) => Promise<Response> = fetchHandler(bus);
createServer(nodeHandler(bus, { session: (req) => req.headers.host }));
followOverWebSocket(bus, "s", { send: (text: string) => text.length, close: () => {} });

const taken: boolean = reportProgress({ message: "reading", data: { file: "a.ts" } });
// @ts-expect-error: not the registered data
reportProgress({ data: { line: 1 } });
const value: number = withAgent("reader", () => 1);
const bound: (n: number) => string = bindReporter((n: number) => String(n));
const reporter: Reporter | undefined = currentReporter();

const sink: Sink = (event: SessionEvent) => {
  if (event.t === "agent_event") event.data?.file.toUpperCase();
  if (event.t === "session_end") event.status satisfies "completed" | "failed" | "cancelled";
};
const { done } = bus.start(async ({ signal }) => signal.aborted, { result: (b: boolean) => ({ file: String(b) }) });
done.then((outcome) => outcome.data?.file.length);
const file: string | undefined = createRecorder().entries.map(({ event }) =>
  event.t === "agent_event" ? event.data?.file : undefined,
)[0];
const recorded: Promise<number | undefined> = recordSession(() => 1).then((recording) => recording.value);
const text: string = encodeEvent({ data: createSessionId() });
declare const error: unknown;
if (isSessionProgressError(error)) error.code satisfies "closed" | "ended" | "headers_sent";
export { bound, createReporter, file, GET, recorded, reporter, sink, taken, text, value };
`;

/** Express of the major whose types `express` means. */
const expressApp = `
import express from "express";
import { createEventBus } from "session-progress";
import { sseHandler } from "session-progress/express";
const bus = createEventBus();
const app = express();
app.get("/events", sseHandler(bus));
app.get("/:sessionId", sseHandler(bus, { session: (req) => req.params["sessionId"] }));
express.Router().get("/:sessionId", sseHandler(bus, { session: (req) => req.params.sessionId }));
app.get("/:sessionId", sseHandler<express.Request<{ sessionId: string }>>(bus, { session: (req) => req.params.sessionId }));
app.use("/events", (req, res) => { sseHandler(bus)(req, res) satisfies Promise<void>; });
// @ts-expect-error: there is no such property
app.get("/events", sseHandler(bus, { authorize: (req) => req.nobody === 1 }));
`;

/** A page: DOM types, none of Node. */
const page = `
import { createReporter, reportProgress } from "session-progress";
import { encodeEvent } from "session-progress/sse";
createReporter((event) => postMessage(event)).run(() => reportProgress({ message: encodeEvent({ data: "x" }) }));
`;

const strict = {
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  // The point: our declarations, and what they import, are checked too.
  skipLibCheck: false,
  noEmit: true,
  target: "ES2022",
  lib: ["ES2022"],
  types: ["node"],
  esModuleInterop: true,
};

const consumers = {
  node16: {
    options: { ...strict, module: "node16" },
    files: { "consumer.mts": server, "consumer.cts": server },
  },
  nodenext: {
    options: { ...strict, module: "nodenext" },
    files: { "consumer.mts": server, "consumer.cts": server },
  },
  bundler: {
    options: { ...strict, module: "esnext", moduleResolution: "bundler" },
    files: { "consumer.ts": server },
  },
  "the old node": {
    options: { ...strict, module: "commonjs", moduleResolution: "node10", ignoreDeprecations: "6.0" },
    files: { "consumer.ts": server },
  },
  "Express 4": {
    options: {
      ...strict,
      module: "nodenext",
      paths: { express: ["../node_modules/@types/express4/index.d.ts"] },
    },
    files: { "consumer.mts": expressApp, "consumer.cts": expressApp },
  },
  "Express 5": {
    options: { ...strict, module: "nodenext" },
    files: { "consumer.mts": expressApp, "consumer.cts": expressApp },
  },
  "a page": {
    options: { ...strict, module: "esnext", moduleResolution: "bundler", lib: ["ES2022", "DOM"], types: [] },
    files: { "consumer.ts": page },
  },
};

test.each(Object.keys(consumers) as (keyof typeof consumers)[])(
  "the types compile under %s",
  async (name) => {
    const directory = join(project, `types-${name.replaceAll(" ", "-")}`);
    const { options, files } = consumers[name];
    await mkdir(directory, { recursive: true });
    for (const [file, source] of Object.entries(files)) await writeFile(join(directory, file), source);
    await writeFile(
      join(directory, "tsconfig.json"),
      JSON.stringify({ compilerOptions: options, files: Object.keys(files) }),
    );
    expect(await compile(directory)).toBe("");
  },
  120_000,
);

/** What the compiler complains about. */
async function compile(directory: string): Promise<string> {
  try {
    await promisify(execFile)(process.execPath, [tsc, "--pretty", "false", "-p", directory]);
    return "";
  } catch (error) {
    return (error as { stdout: string }).stdout;
  }
}
