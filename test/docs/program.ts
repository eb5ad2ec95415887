import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ROOT } from "./blocks.ts";

/** A reader's project: an ES module package outside this repository, with everything installed. */
export class Project {
  readonly #directory = mkdtempSync(join(tmpdir(), "session-progress-docs-"));
  readonly #running = new Set<ChildProcess>();

  constructor(files: Readonly<Record<string, string>>) {
    symlinkSync(join(ROOT, "node_modules"), join(this.#directory, "node_modules"), "junction");
    for (const [name, text] of Object.entries({ "package.json": '{"type":"module"}', ...files })) {
      writeFileSync(join(this.#directory, name), text);
    }
  }

  /** Starts one of its files; the imports of `session-progress` lead to src/. */
  start(file: string, env: Readonly<Record<string, string>> = {}): ChildProcess {
    const child = spawn(process.execPath, ["--import", "tsx", file], {
      cwd: this.#directory,
      env: { ...process.env, NODE_OPTIONS: "", TSX_TSCONFIG_PATH: join(ROOT, "tsconfig.json"), ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#running.add(child);
    child.once("exit", () => this.#running.delete(child));
    return child;
  }

  /** Runs one of its files to its own end: one that leaves a timer or a socket behind never gets there. */
  async run(file: string): Promise<{ code: number | null; stdout: string; stderr: string }> {
    const child = this.start(file);
    let stdout = "";
    let stderr = "";
    child.stdout?.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    child.stderr?.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
    return { code, stdout, stderr };
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
