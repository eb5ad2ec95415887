import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "vite";
import tsconfig from "../../tsconfig.json" with { type: "json" };
import { ROOT } from "./blocks.ts";

/** `session-progress` means src/. */
const alias = Object.entries(tsconfig.compilerOptions.paths).map(([specifier, [file = ""]]) => ({
  find: new RegExp(`^${specifier}$`),
  replacement: join(ROOT, file),
}));

/** A reader's project outside of this repository, with everything installed. */
export class Project {
  readonly #directory = mkdtempSync(join(tmpdir(), "session-progress-docs-"));
  readonly #running = new Set<ChildProcess>();

  /** `programs` by the names to start them by; `files` are put beside them. */
  static async create(
    programs: Readonly<Record<string, string>>,
    files: Readonly<Record<string, string>> = {},
  ): Promise<Project> {
    const project = new Project();
    const directory = project.#directory;
    const source = join(directory, "source");
    mkdirSync(source);
    symlinkSync(join(ROOT, "node_modules"), join(directory, "node_modules"), "junction");
    for (const [name, text] of Object.entries({ "package.json": '{"type":"module"}', ...files })) {
      writeFileSync(join(directory, name), text);
    }
    for (const [name, code] of Object.entries(programs)) writeFileSync(join(source, `${name}.ts`), code);
    await build({
      configFile: false,
      logLevel: "error",
      root: source,
      resolve: { alias },
      build: {
        ssr: true,
        outDir: directory,
        emptyOutDir: false,
        rolldownOptions: {
          input: Object.keys(programs).map((name) => join(source, `${name}.ts`)),
          output: { entryFileNames: "[name].js" },
        },
      },
    });
    return project;
  }

  start(program: string, env: Readonly<Record<string, string>> = {}): ChildProcess {
    const child = spawn(process.execPath, [`${program}.js`], {
      cwd: this.#directory,
      env: { ...process.env, NODE_OPTIONS: "", ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#running.add(child);
    child.once("exit", () => this.#running.delete(child));
    return child;
  }

  /**
   * Runs a program to its own end and returns the lines that it printed: one that leaves a timer or a socket
   * behind never gets there. Throws when it fails or complains.
   */
  async run(program: string): Promise<string[]> {
    const child = this.start(program);
    let stdout = "";
    let stderr = "";
    child.stdout?.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    child.stderr?.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
    if (code !== 0 || stderr !== "") throw new Error(`${program} ended with ${code}:\n${stdout}\n${stderr}`);
    return stdout.trimEnd().split("\n");
  }

  async dispose(): Promise<void> {
    await Promise.all(
      [...this.#running].map((child) => {
        const gone = new Promise((resolve) => child.once("exit", resolve));
        child.kill("SIGKILL");
        return gone;
      }),
    );
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
