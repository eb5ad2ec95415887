// Runs tests on Bun, Deno and workerd (the runtime of Cloudflare Workers): all of them, or those that are named.
//
//     npm run test:runtimes
//     npm run test:runtimes -- bun
//
// Under Bun and Deno Vitest itself runs: the tests of the context, the adapters' contract over Node's API, and
// test/runtimes/<name>. workerd is a server that test/runtimes/workerd talks to from Node. Where one cannot be had it is skipped, loudly; in CI that fails.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";

const host = `${process.platform}-${process.arch}`;

/** What each is installed as: npm's packages of one binary, which have no install script. */
const BINARIES = {
  bun: {
    version: "1.4.5",
    file: "bin/bun",
    packages: {
      "linux-x64": "@oven/bun-linux-x64",
      "linux-arm64": "@oven/bun-linux-aarch64",
      "darwin-x64": "@oven/bun-darwin-x64",
      "darwin-arm64": "@oven/bun-darwin-aarch64",
    },
  },
  deno: {
    version: "2.9.6",
    file: "deno",
    packages: {
      "linux-x64": "@deno/linux-x64-glibc",
      "linux-arm64": "@deno/linux-arm64-glibc",
      "darwin-x64": "@deno/darwin-x64",
      "darwin-arm64": "@deno/darwin-arm64",
    },
  },
  workerd: {
    version: "1.20261117.1",
    file: "bin/workerd",
    packages: {
      "linux-x64": "@cloudflare/workerd-linux-64",
      "linux-arm64": "@cloudflare/workerd-linux-arm64",
      "darwin-x64": "@cloudflare/workerd-darwin-64",
      "darwin-arm64": "@cloudflare/workerd-darwin-arm64",
    },
  },
};

const ON_NODES_API = ["node", "express4", "express5", "fastify", "koa"];
const SHARED_TESTS = [
  "test/unit/report/context.test.ts",
  "test/unit/report/bind-reporter.test.ts",
  ...ON_NODES_API.map((name) => `test/integration/adapters/${name}.test.ts`),
  "test/runtimes",
];

/** The command that runs Vitest, and its files. */
const RUNS = {
  bun: { command: (bun) => [bun, "--bun"], files: [...SHARED_TESTS, "test/integration/adapters/http2"] },
  // Not over HTTP/2: Deno's never ends a response without a body (HEAD, 204).
  deno: { command: (deno) => [deno, "run", "-A"], files: SHARED_TESTS },
  workerd: { command: () => [process.execPath], files: ["test/runtimes"] },
};

const names = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(BINARIES);
const results = names.map((name) => {
  if (!(name in BINARIES)) throw new Error(`no runtime "${name}"; there are: ${Object.keys(BINARIES)}`);
  const binary = install(name);
  if (binary === undefined) {
    console.warn(`\n!!! SKIPPED: ${name} cannot be installed on ${host}\n`);
    return `${name} ${isCI() ? "is missing, and in CI nothing is skipped" : "skipped"}`;
  }
  console.log(`\n=== ${name} ${BINARIES[name].version}`);
  return `${name} ${run(name, binary) ? "passed" : "failed"}`;
});
console.log(`\n${results.join("\n")}`);
process.exitCode = results.some((result) => /failed|missing/.test(result)) ? 1 : 0;

function run(name, binary) {
  const { command, files } = RUNS[name];
  const [program, ...first] = command(binary);
  const options = ["--project", "unit", "--project", "integration", "--project", "runtimes"];
  const args = [...first, "node_modules/vitest/vitest.mjs", "run", ...options, ...files];
  const env = { ...process.env, TEST_RUNTIME: name, WORKERD_PATH: binary };
  return spawnSync(program, args, { stdio: "inherit", env }).status === 0;
}

/** Installs it under node_modules/.cache and returns the path of its binary. */
function install(name) {
  const { version, file, packages } = BINARIES[name];
  const binaryPackage = packages[host];
  if (binaryPackage === undefined) return undefined;
  const directory = resolve("node_modules", ".cache", "runtimes", `${name}-${version}`);
  const binary = join(directory, "node_modules", binaryPackage, file);
  if (existsSync(binary)) return binary;
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, "package.json"), '{"private":true}');
  const flags = ["--no-save", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts"];
  const args = ["install", "--prefix", directory, ...flags, `${binaryPackage}@${version}`];
  spawnSync("npm", args, { stdio: ["ignore", "ignore", "inherit"] });
  return existsSync(binary) ? binary : undefined;
}

function isCI() {
  return !["", "0", "false"].includes(process.env.CI ?? "");
}
