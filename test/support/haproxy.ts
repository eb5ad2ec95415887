import { findProgram } from "./programs.ts";
import { startProxy } from "./proxy.ts";

export function findHaproxy(): string | undefined {
  return findProgram("HAPROXY_PATH", ["haproxy"]);
}

/** HAProxy in front of `upstream`, with these `defaults`. */
export function startHaproxy(
  program: string,
  upstream: string,
  defaults: string,
): ReturnType<typeof startProxy> {
  return startProxy(program, {
    config: (port) => `${defaults}
listen events
  bind 127.0.0.1:${port}
  server app ${new URL(upstream).host}
`,
    args: (file) => ["-db", "-f", file],
  });
}
