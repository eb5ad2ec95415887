import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { cachedPackages } from "../support/cached-packages.ts";
import { freePort } from "../support/free-port.ts";
import { installed } from "./installed.ts";

const next = cachedPackages("next", { next: "16.4.6", react: "19.3.1", "react-dom": "19.3.1" });

/** An app whose parts Next.js bundles apart: two start runs, a third lets them be followed. */
const APP: Record<string, string> = {
  "package.json": '{"private":true}',
  "next.config.mjs": `export default { turbopack: { root: ${JSON.stringify(next)} } };`,
  "bus.js": `
    import { createEventBus } from "session-progress";
    export const bus = createEventBus(process.env.SINGLETON ? { singleton: process.env.SINGLETON } : {});`,
  "instrumentation.js": `
    export async function register() {
      if (process.env.NEXT_RUNTIME !== "nodejs") return;
      const { bus } = await import("./bus");
      bus.start(() => "booted", { sessionId: "boot" });
    }`,
  "app/layout.js": `
    export default function Layout({ children }) {
      return <html><body>{children}</body></html>;
    }`,
  "app/actions.js": `
    "use server";
    import { redirect } from "next/navigation";
    import { reportProgress } from "session-progress";
    import { bus } from "../bus";
    export async function begin() {
      const { sessionId } = bus.start(async () => {
        await null;
        reportProgress({ message: "from an action" });
      });
      redirect("/?session=" + sessionId);
    }`,
  "app/page.js": `
    import { begin } from "./actions";
    export const dynamic = "force-dynamic";
    export default function Page() {
      return <form action={begin}><button>Begin</button></form>;
    }`,
  "app/events/route.js": `
    import { sseHandler } from "session-progress/fetch";
    import { bus } from "../../bus";
    export const dynamic = "force-dynamic";
    export const GET = sseHandler(bus, { mustExist: true });`,
};

const ENV = { NODE_OPTIONS: "", NODE_ENV: "production" as const, NEXT_TELEMETRY_DISABLED: "1" };

describe.skipIf(next === undefined)("Next.js, built and started", () => {
  let directory: string;
  let program: string;

  beforeAll(() => {
    directory = mkdtempSync(join(next!, "app-"));
    program = join(next!, "node_modules/next/dist/bin/next");
    for (const [path, source] of Object.entries(APP)) {
      mkdirSync(dirname(join(directory, path)), { recursive: true });
      writeFileSync(join(directory, path), source);
    }
    cpSync(installed, join(directory, "node_modules/session-progress"), { recursive: true });
    const { status, stdout, stderr } = spawnSync(process.execPath, [program, "build"], {
      cwd: directory,
      encoding: "utf8",
      env: { ...process.env, ...ENV },
    });
    if (status !== 0) throw new Error(`next build failed:\n${stdout}${stderr}`);
  }, 240_000);

  afterAll(() => {
    rmSync(directory, { recursive: true, force: true });
  });

  /** Starts the app and asks it to follow a run of its instrumentation and one of a server action. */
  async function followBoth(singleton: string): Promise<[number, string][]> {
    const port = await freePort();
    const origin = `http://127.0.0.1:${port}`;
    const app = spawn(process.execPath, [program, "start", "-p", String(port), "-H", "127.0.0.1"], {
      cwd: directory,
      env: { ...process.env, ...ENV, SINGLETON: singleton },
      stdio: ["ignore", "pipe", "inherit"],
    });
    const exited = once(app, "exit");
    try {
      app.stdout.setEncoding("utf8");
      for (let said = ""; !said.includes("Ready");) said += String((await once(app.stdout, "data"))[0]);
      const sessionIds = ["boot", await beginByForm(origin)];
      return await Promise.all(
        sessionIds.map(async (id): Promise<[number, string]> => {
          const response = await fetch(`${origin}/events?session_id=${id}`);
          return [response.status, await response.text()];
        }),
      );
    } finally {
      app.kill();
      await exited;
    }
  }

  test(
    "a run of instrumentation or of a server action is followed in a route handler",
    { timeout: 60_000 },
    async () => {
      const [booted, acted] = await followBoth("app");
      expect(booted).toEqual([200, expect.stringContaining('"status":"completed"')]);
      expect(acted).toEqual([200, expect.stringMatching(/"msg":"from an action".*event: end/s)]);
    },
  );

  test("without `singleton` each of them has a bus of its own", { timeout: 60_000 }, async () => {
    expect((await followBoth("")).map(([status]) => status)).toEqual([404, 404]);
  });
});

/** Sends the page's form as a browser without JavaScript does, and returns the session that it leads to. */
async function beginByForm(origin: string): Promise<string> {
  const html = await (await fetch(origin)).text();
  const form = new FormData();
  for (const [, name = ""] of html.matchAll(/<input type="hidden" name="([^"]+)"/g)) form.append(name, "");
  const answer = await fetch(origin, { method: "POST", body: form, redirect: "manual", headers: { origin } });
  return new URL(answer.headers.get("location") ?? "", origin).searchParams.get("session") ?? "";
}
