// npm run examples: runs every example's own check, one after another. Needs `npm run build` for the CommonJS one.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { join, relative } from "node:path";

const here = import.meta.dirname;
const inDirectory = (directory: string, pattern: RegExp): string[] =>
  readdirSync(join(here, directory), { recursive: true, encoding: "utf8" })
    .filter((name) => pattern.test(name))
    .map((name) => join(here, directory, name))
    .sort();

const runs: (readonly [file: string, ...args: string[]])[] = [
  ...inDirectory("five-approaches", /^\d-.*\.ts$/).map((file) => [file] as const),
  ...inDirectory(".", /(^|[\\/])check\.ts$/).map((file) => [file] as const),
  [join(here, "express", "main.ts"), "--once", join(here, "five-approaches")],
];

for (const [file, ...args] of runs) {
  const started = performance.now();
  const child = spawn(process.execPath, ["--import", "tsx", file, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => (output += text));
  }
  const [status] = (await once(child, "close")) as [number | null];
  const seconds = ((performance.now() - started) / 1_000).toFixed(1);
  console.log(`${status === 0 ? "ok    " : "FAILED"} ${relative(here, file)} (${seconds} s)`);
  if (status === 0) continue;
  console.log(output);
  process.exitCode = 1;
}
