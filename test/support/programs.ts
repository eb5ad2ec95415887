import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

const usualDirectories = ["/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin", "/opt/homebrew/bin"];

/** Path of the first executable among `names`, or undefined. The variable `override`, when set, wins. */
export function findProgram(override: string, names: readonly string[]): string | undefined {
  const explicit = process.env[override];
  const directories = [...(process.env["PATH"] ?? "").split(delimiter).filter(Boolean), ...usualDirectories];
  const candidates = explicit
    ? [explicit]
    : names.flatMap((name) => directories.map((directory) => join(directory, name)));
  return candidates.find(isExecutable);
}

/**
 * The one rule for programs that npm cannot install. A suite that needs one is skipped where the program
 * is missing, and says so; in CI it fails instead, so that a green run has run everything.
 *
 *     const nginx = requireProgram("nginx", findNginx());
 *     describe.skipIf(nginx === undefined)("…", () => { … });
 */
export function requireProgram(name: string, found: string | undefined): string | undefined {
  if (found !== undefined) return found;
  if (isCI()) throw new Error(`${name} is missing, and in CI nothing is skipped`);
  console.warn(`\n!!! SKIPPED: these tests need ${name}, which was not found\n`);
  return undefined;
}

function isCI(): boolean {
  return !["", "0", "false"].includes(process.env["CI"] ?? "");
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
