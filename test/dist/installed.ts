import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { inject } from "vitest";

/** The directory of the project that has the package installed. */
export const project: string = inject("project");
/** The package as it was installed. */
export const installed: string = join(project, "node_modules", "session-progress");

interface Manifest {
  readonly exports: Readonly<Record<string, string | Readonly<Record<string, Record<string, string>>>>>;
  readonly typesVersions: Readonly<Record<string, Record<string, readonly string[]>>>;
}

export const manifest = JSON.parse(readFileSync(join(installed, "package.json"), "utf8")) as Manifest;

/** `index`, `node`, `express` …: the names of the entries in dist/. */
export const entries: readonly string[] = Object.keys(manifest.exports)
  .filter((path) => path !== "./package.json")
  .map((path) => (path === "." ? "index" : path.slice(2)));

export function specifierOf(entry: string): string {
  return entry === "index" ? "session-progress" : `session-progress/${entry}`;
}

const require = createRequire(join(project, "index.cjs"));

/** One copy of the package: its modules, by the names of their entries. */
export interface Copy {
  load<T>(entry: string): Promise<T>;
}

/**
 * Copies of the package that share nothing but the process, as they meet where `module-sync` is unknown
 * (`import` here, `require` there) and where a library has an installation of its own.
 */
export const copies = {
  import: copyAt(installed, "js"),
  require: copyAt(installed, "cjs"),
  "a library's": copyAt(join(project, "node_modules", "a-library", "node_modules", "session-progress"), "js"),
};

export type CopyName = keyof typeof copies;

/** All ordered pairs of two copies. */
export const pairs: readonly (readonly [CopyName, CopyName])[] = names(copies).flatMap((one) =>
  names(copies).flatMap((other) => (one === other ? [] : [[one, other] as const])),
);

function names<T extends object>(record: T): (keyof T)[] {
  return Object.keys(record) as (keyof T)[];
}

function copyAt(directory: string, extension: "js" | "cjs"): Copy {
  return {
    load: async <T>(entry: string) => {
      const file = join(directory, "dist", `${entry}.${extension}`);
      return (extension === "cjs" ? require(file) : await import(pathToFileURL(file).href)) as T;
    },
  };
}

/** Runs `source` in a process of its own and returns what it printed; a warning of Node's fails it. */
export async function runInProject(
  type: "module" | "commonjs",
  source: string,
  flags: readonly string[] = [],
): Promise<unknown> {
  const { stdout, stderr } = await promisify(execFile)(
    process.execPath,
    [...flags, `--input-type=${type}`, "--eval", source],
    { cwd: project, env: { ...process.env, NODE_OPTIONS: "" } },
  );
  if (stderr !== "") throw new Error(stderr);
  return JSON.parse(stdout);
}
