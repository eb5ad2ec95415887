import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

const checkout = process.env.BENCH_BASELINE;

/** The folder of another build of this library that is measured beside this one; `undefined` without one. */
export const baselineDist =
  checkout === undefined || checkout === "" ? undefined : pathToFileURL(`${resolve(checkout, "dist")}/`).href;

if (baselineDist !== undefined && !existsSync(new URL("index.js", baselineDist))) {
  throw new Error("BENCH_BASELINE: expected a checkout of this package with a built dist/");
}

/** Loads an entry of this library as users get it (`"session-progress/node"`), or of the build in `dist`. */
export function importFrom(dist, name) {
  if (dist === undefined) return import(name);
  return import(new URL(`${name.split("/")[1] ?? "index"}.js`, dist).href);
}

/** What a page says about the other build; `undefined` without one. */
export function baselineNote() {
  if (baselineDist === undefined) return undefined;
  let commit;
  try {
    const log = ["-C", checkout, "log", "-1", "--format=%h (%cs)"];
    commit = execFileSync("git", log, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  } catch {
    return "`baseline` is another build of this library.";
  }
  return `\`baseline\` is this library at ${commit}.`;
}

/** Calls `fn` in a session: `withSession`, which builds up to 0.1.0 call `run`. */
export function withSession(bus, session, fn) {
  return (bus.withSession ?? bus.run)(session, fn);
}
