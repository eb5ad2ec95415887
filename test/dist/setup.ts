import { execFileSync, spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { TestProject } from "vitest/node";

declare module "vitest" {
  interface ProvidedContext {
    /** A project that has the packed tarball installed, and a library with a copy of its own. */
    project: string;
  }
}

const repository = fileURLToPath(new URL("../..", import.meta.url));

/** What a user of the package would have installed beside it. */
const NEIGHBOURS = [
  "@sinonjs/commons",
  "@sinonjs/fake-timers",
  "@types/express",
  "@types/express4",
  "@types/node",
  "compression",
  "cors",
  "eventsource-parser",
  "express",
  "express-session",
  "express4",
  "fastify",
  "helmet",
  "hono",
  "vitest",
];

/** Installs the packed tarball, once for all test files. Nothing comes from the network. */
export default function setup({ provide }: TestProject): () => void {
  if (isStale()) npm("run", "build");
  const project = mkdtempSync(join(tmpdir(), "installed-"));
  npm("pack", "--ignore-scripts", "--pack-destination", project);
  const tarball = readdirSync(project).find((name) => name.endsWith(".tgz"));
  if (tarball === undefined) throw new Error("npm pack made no tarball");

  const installed = join(project, "node_modules", "session-progress");
  mkdirSync(installed, { recursive: true });
  execFileSync("tar", ["-xzf", join(project, tarball), "--strip-components=1", "-C", installed]);
  const nested = join(project, "node_modules", "a-library", "node_modules", "session-progress");
  cpSync(installed, nested, { recursive: true });
  for (const name of NEIGHBOURS) {
    const link = join(project, "node_modules", name);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(join(repository, "node_modules", name), link, "junction");
  }
  provide("project", project);
  return () => {
    rmSync(project, { recursive: true, force: true });
  };
}

/** Whether dist/ is missing or older than what it is made of: a green run must not be one of yesterday's code. */
function isStale(): boolean {
  const dist = join(repository, "dist");
  if (!existsSync(join(dist, "index.d.cts"))) return true;
  const made = Math.min(...readdirSync(dist).map((name) => statSync(join(dist, name)).mtimeMs));
  const sources = readdirSync(join(repository, "src"), { recursive: true, encoding: "utf8" });
  return [
    ...sources.map((name) => join("src", name)),
    "package.json",
    "tsconfig.json",
    "tsup.config.ts",
  ].some((name) => statSync(join(repository, name)).mtimeMs > made);
}

function npm(...args: string[]): void {
  const { status, stdout, stderr } = spawnSync("npm", args, {
    cwd: repository,
    encoding: "utf8",
    shell: process.platform === "win32",
  });
  if (status !== 0) throw new Error(`npm ${args.join(" ")} failed:\n${stdout}${stderr}`);
}
