import { existsSync } from "node:fs";
import { defineConfig } from "tsup";
import tsconfig from "./tsconfig.json" with { type: "json" };

/** The entries are the `paths` of tsconfig.json: "session-progress/node" is built as dist/node. */
const entries = Object.entries(tsconfig.compilerOptions.paths)
  .map(([specifier, [file]]) => [specifier.split("/")[1] ?? "index", file ?? ""] as const)
  .filter(([, file]) => existsSync(file));

export default defineConfig({
  entry: Object.fromEntries(entries),
  format: ["esm", "cjs"],
  target: "node20",
  dts: { resolve: ["typed-emitter"] },
  tsconfig: "tsconfig.build.json",
  sourcemap: true,
  clean: true,
  removeNodeProtocol: false,
  splitting: true,
  // Rollup then writes the CommonJS files. Otherwise sucrase does, which turns `a?.b` into slow helpers
  // and puts absolute paths into the source maps.
  treeshake: true,
});
