import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "./eventually.ts";
import { freePort } from "./free-port.ts";
import { findProgram } from "./programs.ts";

export function findHaproxy(): string | undefined {
  return findProgram("HAPROXY_PATH", ["haproxy"]);
}

/** HAProxy in front of `upstream`, with these `defaults`. */
export async function startHaproxy(
  program: string,
  upstream: string,
  defaults: string,
): Promise<{ origin: string; stop(): Promise<void> }> {
  const directory = await mkdtemp(join(tmpdir(), "haproxy-"));
  const port = await freePort();
  const file = join(directory, "haproxy.cfg");
  await writeFile(
    file,
    `${defaults}
listen events
  bind 127.0.0.1:${port}
  server app ${new URL(upstream).host}
`,
  );
  const haproxy = spawn(program, ["-db", "-f", file], { stdio: "ignore" });
  const exited = once(haproxy, "exit");
  const origin = `http://127.0.0.1:${port}`;
  let up = false;
  await eventually("HAProxy answers", () => {
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
      haproxy.kill();
      await exited;
      await rm(directory, { recursive: true, force: true });
    },
  };
}
