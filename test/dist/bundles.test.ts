import { rmSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";
import { afterAll, expect, test } from "vitest";
import type { SessionEventBus } from "session-progress";
import { project } from "./installed.ts";

const made: string[] = [];
afterAll(() => {
  for (const file of made) rmSync(file);
});

/** A part of an app as its bundler makes it: with a copy of this package inside. `again`: as after a hot reload. */
async function part(
  name: string,
  source: string,
  again = 0,
): Promise<Record<string, (...args: never[]) => unknown>> {
  const outfile = join(project, `${name}-${again}.mjs`);
  await build({
    stdin: { contents: source, resolveDir: project },
    bundle: true,
    outfile,
    format: "esm",
    platform: "node",
    logLevel: "silent",
  });
  made.push(outfile);
  return (await import(pathToFileURL(outfile).href)) as Record<string, (...args: never[]) => unknown>;
}

const instrumentation = `
  import { createEventBus, reportProgress } from "session-progress";
  export const bus = createEventBus({ singleton: "bundled" });
  export const register = () =>
    bus.start(async () => { await null; reportProgress({ message: "from instrumentation" }); }, { sessionId: "boot" });
`;

const route = `
  import { createEventBus } from "session-progress";
  import { sseHandler } from "session-progress/fetch";
  const bus = createEventBus({ singleton: "bundled" });
  export const GET = sseHandler(bus, { mustExist: true });
  const kept = globalThis;
  if (kept.onEnd !== undefined) bus.off("end", kept.onEnd);
  bus.on("end", (kept.onEnd = () => (kept.ends = (kept.ends ?? 0) + 1)));
`;

test("a run of one bundle is followed in another, also after hot reloads, and hooks are called once", async () => {
  const first = await part("instrumentation", instrumentation);
  for (const reload of [0, 1]) await part("route", route, reload);
  const latest = await part("route", route, 2);
  const { done } = first["register"]!() as { done: Promise<unknown> };
  const GET = latest["GET"] as unknown as (request: Request) => Promise<Response>;
  const response = await GET(new Request("http://localhost/?session_id=boot"));
  expect(response.status).toBe(200);
  expect(await response.text()).toMatch(/from instrumentation.*event: end/s);
  await done;
  expect((globalThis as { ends?: number }).ends).toBe(1);
  await (first["bus"] as unknown as SessionEventBus).close();
});
