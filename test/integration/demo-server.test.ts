import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createEventBus } from "session-progress";
import { recordSession } from "session-progress/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { supervisor } from "../../examples/express/agents/supervisor.ts";
import { createApp } from "../../examples/express/server.ts";
import { cleanups } from "../support/cleanups.ts";
import { serve } from "../support/http-server.ts";

const cleanUp = cleanups();
let root: string;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "demo-"));
  await writeFile(join(root, "a.ts"), "export const a = 1;\n");
});

afterAll(() => rm(root, { recursive: true }));

async function setUp() {
  const bus = createEventBus();
  const { origin, close } = await serve(createApp(bus, root, 3_600_000));
  cleanUp(close, () => bus.close());
  return { origin };
}

test("a run that goes on is stopped once; its followers learn it, its agents stop", async () => {
  const { origin } = await setUp();
  const { sessionId } = await (await fetch(`${origin}/runs`, { method: "POST" })).json();
  const stream = fetch(`${origin}/events?session_id=${sessionId}`).then((response) => response.text());
  const stop = () => fetch(`${origin}/runs/${sessionId}`, { method: "DELETE" });
  expect((await stop()).status).toBe(204);
  expect(await stream).toContain('"status":"cancelled"');
  expect((await stop()).status).toBe(404);
});

test("what is no run cannot be stopped or followed", async () => {
  const { origin } = await setUp();
  for (const id of ["unknown", "%20", "a".repeat(200)]) {
    expect((await fetch(`${origin}/runs/${id}`, { method: "DELETE" })).status).toBe(404);
  }
  expect((await fetch(`${origin}/events?session_id=unknown`)).status).toBe(404);
});

test("agents stop at their signal, in the middle of a pause too", async () => {
  const controller = new AbortController();
  const recording = recordSession(() =>
    supervisor(root, { signal: controller.signal, atLeastMs: 3_600_000 }),
  );
  setImmediate(() => controller.abort(new Error("enough")));
  expect((await recording).outcome.status).toBe("failed");
});
