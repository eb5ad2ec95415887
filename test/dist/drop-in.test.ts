import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { checkApp } from "../../examples/drop-in/check-app.ts";
import { project } from "./installed.ts";

const withoutModuleSync = ["--no-experimental-require-module"];

test.each([
  ["as Node finds it", []],
  ["on the CommonJS copy", withoutModuleSync.filter((flag) => process.allowedNodeEnvironmentFlags.has(flag))],
])(
  "a CommonJS app on Express 4 runs on the installed package: %s",
  async (_, flags) => {
    const example = join(import.meta.dirname, "../../examples/drop-in/express4-commonjs/app.cjs");
    const file = join(project, "app.cjs");
    copyFileSync(example, file);
    const app = spawn(process.execPath, [...flags, file], {
      cwd: project,
      env: { ...process.env, PORT: "0", NODE_OPTIONS: "" },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let complaints = "";
    app.stderr.setEncoding("utf8").on("data", (text: string) => (complaints += text));
    const closed = once(app, "close");
    try {
      const [line] = (await Promise.race([once(app.stdout, "data"), closed])) as [Buffer];
      await checkApp(String(line).trim());
    } finally {
      app.kill();
    }
    // It shuts down in order: nothing of the package's keeps it alive.
    expect(await closed).toEqual([0, null]);
    expect(complaints).toBe("");
  },
  30_000,
);
