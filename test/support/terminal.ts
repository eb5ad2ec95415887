import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A command that goes on: a server that has said where it listens. */
export interface RunningServer {
  readonly address: string;
  stop(): Promise<void>;
}

/** A shell in an empty folder of its own, for what a reader would type. */
export class Terminal {
  readonly #home = mkdtempSync(join(tmpdir(), "terminal-"));
  readonly #env: NodeJS.ProcessEnv;
  readonly #running = new Set<RunningServer>();
  /** The directory that the commands so far have led to. */
  cwd: string = join(this.#home);

  /** `env` on top of what this process has, without what npm and the tests' runner put there. */
  constructor(env: Readonly<Record<string, string>>) {
    const inherited = Object.entries(process.env).filter(([name]) => !/^(npm_|NODE_|VITEST)/i.test(name));
    this.#env = { ...Object.fromEntries(inherited), npm_config_cache: join(this.#home, ".npm"), ...env };
  }

  /**
   * Types `commands` and waits: for their end, then it returns what they printed; or until one says
   * `Listening on <address>` and goes on. Throws when one fails.
   */
  async type(commands: string): Promise<string | RunningServer> {
    const whereTo = join(this.#home, ".cwd");
    // A group of its own: what the shell started is stopped with it.
    const shell = spawn("bash", ["-ec", `${commands}\npwd > '${whereTo}'`], {
      cwd: this.cwd,
      env: this.#env,
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
    });
    const closed = once(shell, "close");
    let printed = "";
    const listening = new Promise<RunningServer>((resolve) => {
      const read = (text: string): void => {
        printed += text;
        const address = /^Listening on (\S+)$/m.exec(printed)?.[1];
        if (address === undefined) return;
        const server: RunningServer = {
          address,
          stop: async () => {
            if (this.#running.delete(server)) process.kill(-shell.pid!, "SIGKILL");
            await closed;
          },
        };
        this.#running.add(server);
        resolve(server);
      };
      shell.stdout.setEncoding("utf8").on("data", read);
      shell.stderr.setEncoding("utf8").on("data", read);
    });
    const first = await Promise.race([listening, closed]);
    if ("address" in first) return first;
    if (first[0] !== 0) throw new Error(`${commands}\n${printed}`);
    this.cwd = readFileSync(whereTo, "utf8").trim();
    return printed;
  }

  async dispose(): Promise<void> {
    for (const server of this.#running) await server.stop();
    rmSync(this.#home, { recursive: true, force: true });
  }
}
