import { execFile } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { block } from "../docs/blocks.ts";
import { project } from "./installed.ts";

const require = createRequire(import.meta.url);

/** The program that a package brings, such as `vitest`. */
function programOf(name: string): string {
  const manifest = require.resolve(`${name}/package.json`);
  const { bin } = JSON.parse(readFileSync(manifest, "utf8")) as { bin: string | Record<string, string> };
  return join(dirname(manifest), typeof bin === "string" ? bin : bin[name]!);
}

/** Runs the block of the recipe beside an agent, with the package as it is installed. */
async function run(runner: "vitest" | "jest", type: "module" | "commonjs", args: string[]): Promise<string> {
  const directory = join(project, runner);
  mkdirSync(directory, { recursive: true });
  const agent =
    type === "module"
      ? `import { reportProgress } from "session-progress";
         export const agent = async (file) => reportProgress({ message: "Read " + file });`
      : `const { reportProgress } = require("session-progress");
         exports.agent = async (file) => reportProgress({ message: "Read " + file });`;
  writeFileSync(join(directory, "package.json"), JSON.stringify({ type }));
  writeFileSync(join(directory, "agent.js"), agent);
  writeFileSync(join(directory, "agent.test.js"), block("docs/recipes/mocks.md", runner).code);
  const inherited = Object.entries(process.env).filter(
    ([name]) => !/^(NODE_OPTIONS|VITEST|TEST|JEST)/.test(name),
  );
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [programOf(runner), ...args], {
    cwd: directory,
    env: Object.fromEntries(inherited),
  });
  return stdout + stderr;
}

test("the recipe for Vitest", async () => {
  expect(await run("vitest", "module", ["run", "--root", "."])).toMatch(/1 passed/);
});

test("the recipe for Jest", async () => {
  expect(await run("jest", "commonjs", ["--rootDir", ".", "--watchman=false"])).toMatch(/1 passed/);
});
