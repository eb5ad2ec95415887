import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readdirSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../", import.meta.url));
const bench = `${root}bench`;
const installed = `${bench}/node_modules/session-progress`;

/**
 * Installs the peers, and this library beside them as users get it: built. A copy of its own, so that somebody
 * else's build in between changes nothing.
 */
export function prepare() {
  const lockfile = `${bench}/node_modules/.package-lock.json`;
  if (!existsSync(lockfile) || changedAt(`${bench}/package-lock.json`) > changedAt(lockfile)) {
    execFileSync("npm", ["ci", "--ignore-scripts", "--prefix", bench], { stdio: ["ignore", 2, 2] });
  }
  const built = `${installed}/dist/index.js`;
  const sources = ["src", "package.json", "tsconfig.json", "tsup.config.ts"].map((name) => `${root}${name}`);
  if (existsSync(built) && Math.max(...sources.map(changedAt)) < changedAt(built)) return;
  mkdirSync(installed, { recursive: true });
  copyFileSync(`${root}package.json`, `${installed}/package.json`);
  const tsup = createRequire(`${root}package.json`)
    .resolve("tsup/package.json")
    .replace("package.json", "dist/cli-default.js");
  execFileSync(process.execPath, [tsup, "--no-dts", "--silent", "--out-dir", `${installed}/dist`], {
    cwd: root,
    stdio: ["ignore", 2, 2],
  });
}

/** When anything in `path` was last written. */
function changedAt(path) {
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.mtimeMs;
  return Math.max(...readdirSync(path).map((name) => changedAt(`${path}/${name}`)));
}
