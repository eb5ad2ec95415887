import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { requireProgram } from "./programs.ts";

const CACHE = join(import.meta.dirname, "../../node_modules/.cache/test-packages");

/**
 * A directory that has `packages` (name → exact version) installed: what is too large for a devDependency. Installed
 * once, and kept. Where npm cannot have them, tests that need them are skipped as {@link requireProgram} says.
 */
export function cachedPackages(name: string, packages: Readonly<Record<string, string>>): string | undefined {
  const directory = join(CACHE, name);
  const missing = Object.entries(packages).filter(
    ([one, version]) => installedVersion(directory, one) !== version,
  );
  if (missing.length > 0) {
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, "package.json"), '{"private":true}');
    const wanted = Object.entries(packages).map(([one, version]) => `${one}@${version}`);
    const flags = ["--no-save", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts"];
    const { status } = spawnSync("npm", ["install", "--prefix", directory, ...flags, ...wanted], {
      stdio: "ignore",
      shell: process.platform === "win32",
    });
    return requireProgram(`${name} (from npm)`, status === 0 ? directory : undefined);
  }
  return directory;
}

function installedVersion(directory: string, name: string): string | undefined {
  const manifest = join(directory, "node_modules", name, "package.json");
  if (!existsSync(manifest)) return undefined;
  return (JSON.parse(readFileSync(manifest, "utf8")) as { version: string }).version;
}
