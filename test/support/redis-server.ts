import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findProgram } from "./programs.ts";

export function findRedisServer(): string | undefined {
  return findProgram("REDIS_SERVER", ["redis-server", "valkey-server"]);
}

export interface RedisServer {
  readonly url: string;
  readonly port: number;
  /** Ends the process and keeps its directory, so that a test can start it again on the same port. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  stop(): Promise<void>;
}

/** Start a private server that keeps nothing on disk. Redis cannot listen on port 0, so a port is guessed. */
export async function startRedis(executable: string, fixedPort?: number): Promise<RedisServer> {
  for (let attempt = 1; ; attempt++) {
    const port = fixedPort ?? 20_000 + Math.floor(Math.random() * 20_000);
    const directory = await mkdtemp(join(tmpdir(), "redis-"));
    const removeDirectory = () => rm(directory, { recursive: true, force: true });
    const child = spawn(
      executable,
      [
        ["--port", String(port)],
        ["--bind", "127.0.0.1"],
        ["--save", ""],
        ["--appendonly", "no"],
        ["--daemonize", "no"],
        ["--dir", directory],
      ].flat(),
      { stdio: ["ignore", "pipe", "pipe"] },
    );
    const kill = async (signal: NodeJS.Signals = "SIGTERM"): Promise<void> => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, "exit");
      child.kill(signal);
      await exited;
    };
    try {
      await ready(child);
    } catch (error) {
      if (child.pid !== undefined) await kill("SIGKILL");
      await removeDirectory();
      // Most likely the port is taken.
      if (fixedPort === undefined && attempt < 6 && child.exitCode !== null) continue;
      throw error;
    }
    return {
      port,
      url: `redis://127.0.0.1:${port}`,
      kill,
      stop: async () => {
        await kill();
        await removeDirectory();
      },
    };
  }
}

/** Resolves when the server accepts connections; rejects when it exits, cannot be started, or takes 10 s. */
function ready(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let log = "";
    const timer = setTimeout(() => reject(new Error(`redis-server did not start:\n${log}`)), 10_000);
    const settle = (error?: Error) => {
      clearTimeout(timer);
      if (error === undefined) resolve();
      else reject(error);
    };
    child.once("error", settle);
    child.once("exit", () => settle(new Error(`redis-server exited at once:\n${log}`)));
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on("data", (chunk: Buffer) => {
        log += chunk.toString();
        if (/ready to accept connections/i.test(log)) settle();
      });
    }
  });
}
