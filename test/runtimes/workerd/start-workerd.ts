import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { build } from "esbuild";

const CONFIG = `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = .worker)],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);
const worker :Workerd.Worker = (
  modules = [(name = "worker.js", esModule = embed "worker.js")],
  compatibilityDate = "2025-09-01",
  compatibilityFlags = ["nodejs_compat"],
  durableObjectNamespaces = [(className = "Sessions", uniqueKey = "sessions")],
  durableObjectStorage = (inMemory = void),
  bindings = [(name = "SESSIONS", durableObjectNamespace = "Sessions")],
);
`;

export interface Workerd {
  readonly port: number;
  /** What it wrote. */
  readonly complaints: string[];
  stop(): Promise<void>;
}

/** The runtime of Cloudflare Workers, with the module `entry` as its only worker. */
export async function startWorkerd(program: string, entry: string): Promise<Workerd> {
  const directory = await mkdtemp(join(tmpdir(), "workerd-"));
  await build({
    entryPoints: [entry],
    outfile: join(directory, "worker.js"),
    bundle: true,
    format: "esm",
    platform: "neutral",
    target: "es2022",
    external: ["node:*"],
  });
  await writeFile(join(directory, "config.capnp"), CONFIG);
  const child = spawn(program, ["serve", "config.capnp", "--control-fd=3"], {
    cwd: directory,
    stdio: ["ignore", "pipe", "pipe", "pipe"],
  });
  const complaints: string[] = [];
  for (const output of [child.stdout!, child.stderr!]) {
    createInterface(output).on("line", (line) => complaints.push(line));
  }
  const closed = once(child, "close");
  const stop = async (): Promise<void> => {
    child.kill();
    await closed;
    await rm(directory, { recursive: true, force: true });
  };
  const told = once(createInterface(child.stdio[3] as Readable), "line") as Promise<[string]>;
  const first = await Promise.race([told, closed.then(() => undefined)]);
  if (first === undefined) {
    await stop();
    throw new Error(`workerd did not start:\n${complaints.join("\n")}`);
  }
  const { port } = JSON.parse(first[0]) as { port: number };
  return { port, complaints, stop };
}
