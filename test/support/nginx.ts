import { findProgram } from "./programs.ts";

export function findNginx(): string | undefined {
  return findProgram("NGINX_PATH", ["nginx"]);
}
