import { execFileSync } from "node:child_process";

/** How many sockets a process may have open, as far as `wanted`, with some files to spare. */
export function affordable(wanted) {
  // Node has raised the soft limit to the hard one at its start; children inherit it.
  const limit = execFileSync("sh", ["-c", "ulimit -n"], { encoding: "utf8" }).trim();
  const ephemeralPorts = 27_000;
  const most = Math.min(limit === "unlimited" ? Infinity : Number(limit) - 200, ephemeralPorts);
  return Math.min(wanted, most);
}

/** What a page says when it had to be fewer. */
export function fewerNote(wanted, had) {
  return had < wanted
    ? `The machine's limit of open files allows ${had} followers instead of ${wanted}.`
    : undefined;
}
