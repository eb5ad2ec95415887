import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "./eventually.ts";
import { freePort } from "./free-port.ts";

/** What a proxy is started with: its configuration, and the arguments that name the file and the directory. */
export interface ProxySetup {
  config(port: number, directory: string): string;
  args(file: string, directory: string): string[];
}

/** A proxy of its own, in a directory of its own, when it answers. */
export async function startProxy(
  program: string,
  { config, args }: ProxySetup,
): Promise<{ origin: string; stop(): Promise<void> }> {
  const directory = await mkdtemp(join(tmpdir(), "proxy-"));
  const port = await freePort();
  const file = join(directory, "proxy.conf");
  await writeFile(file, config(port, directory));
  const proxy = spawn(program, args(file, directory), { stdio: "ignore" });
  const exited = once(proxy, "exit");
  const origin = `http://127.0.0.1:${port}`;
  let up = false;
  await eventually(`${program} answers`, () => {
    if (!up) {
      fetch(origin).then(
        () => (up = true),
        () => {},
      );
    }
    return up;
  });
  return {
    origin,
    stop: async () => {
      proxy.kill();
      await exited;
      await rm(directory, { recursive: true, force: true });
    },
  };
}
