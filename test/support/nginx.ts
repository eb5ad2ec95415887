import { join } from "node:path";
import { findProgram } from "./programs.ts";
import { startProxy } from "./proxy.ts";

export function findNginx(): string | undefined {
  return findProgram("NGINX_PATH", ["nginx"]);
}

/** nginx as it comes, buffering on, in front of `upstream`; `location` says how it gets there. */
export function startNginx(
  program: string,
  upstream: string,
  location = `location / { proxy_pass ${upstream}; proxy_http_version 1.1; proxy_set_header Connection ""; }`,
): ReturnType<typeof startProxy> {
  return startProxy(program, {
    config: (port, directory) => {
      const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map((kind) => `${kind}_temp_path ${join(directory, kind)};`)
        .join(" ");
      return `daemon off; master_process off; pid ${join(directory, "pid")}; error_log stderr error;
     events { worker_connections 64; }
     http {
       access_log off; ${temporary}
       server {
         listen 127.0.0.1:${port};
         ${location}
       }
     }`;
    },
    args: (file, directory) => ["-p", directory, "-c", file],
  });
}
