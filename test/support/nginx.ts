import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "./eventually.ts";
import { freePort } from "./free-port.ts";
import { findProgram } from "./programs.ts";

export function findNginx(): string | undefined {
  return findProgram("NGINX_PATH", ["nginx"]);
}

/** nginx as it comes, buffering on, in front of `upstream`; `location` says how it gets there. */
export async function startNginx(
  program: string,
  upstream: string,
  location = `location / { proxy_pass ${upstream}; proxy_http_version 1.1; proxy_set_header Connection ""; }`,
): Promise<{ origin: string; stop(): Promise<void> }> {
  const directory = await mkdtemp(join(tmpdir(), "nginx-"));
  const port = await freePort();
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((kind) => `${kind}_temp_path ${join(directory, kind)};`)
    .join(" ");
  await writeFile(
    join(directory, "nginx.conf"),
    `daemon off; master_process off; pid ${join(directory, "pid")}; error_log stderr error;
     events { worker_connections 64; }
     http {
       access_log off; ${temporary}
       server {
         listen 127.0.0.1:${port};
         ${location}
       }
     }`,
  );
  const nginx = spawn(program, ["-p", directory, "-c", join(directory, "nginx.conf")], { stdio: "ignore" });
  const exited = once(nginx, "exit");
  const origin = `http://127.0.0.1:${port}`;
  let up = false;
  await eventually("nginx answers", () => {
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
      nginx.kill();
      await exited;
      await rm(directory, { recursive: true, force: true });
    },
  };
}
