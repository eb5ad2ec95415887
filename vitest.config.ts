import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import tsconfig from "./tsconfig.json" with { type: "json" };

/** `session-progress` means src/ in every project but `dist`, as for tsc and tsx. */
const alias = Object.entries(tsconfig.compilerOptions.paths).map(([specifier, [file]]) => ({
  find: new RegExp(`^${specifier}$`),
  replacement: fileURLToPath(new URL(file ?? "", import.meta.url)),
}));

const runtime = process.env["TEST_RUNTIME"];

function project(name: string, settings: object = {}) {
  return {
    extends: true as const,
    resolve: { alias: name === "dist" ? [] : alias },
    test: { name, include: [`test/${name}/**/*.test.ts`], ...settings },
  };
}

export default defineConfig({
  test: {
    environment: "node",
    pool: "forks",
    execArgv: ["--expose-gc"],
    maxWorkers: 2,
    // Nothing waits for time to pass: this finds what hangs, not what a busy machine makes slow.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    coverage: { provider: "v8", include: ["src/**"] },
    projects: [
      project("unit"),
      project("integration"),
      project("examples"),
      project("docs"),
      project("types", {
        include: [],
        typecheck: {
          enabled: true,
          only: true,
          include: ["test/types/**/*.test-d.ts"],
          tsconfig: "test/types/tsconfig.json",
        },
      }),
      project("dist", {
        globalSetup: "test/dist/setup.ts",
        server: { deps: { external: [/(?<!\/test)\/dist\//] } },
      }),
      project("browser", { fileParallelism: false }),
      // Only where scripts/test-runtimes.mjs runs them, under what the folder is named after.
      ...(runtime === undefined
        ? []
        : [project("runtimes", { include: [`test/runtimes/${runtime}/**/*.test.ts`] })]),
    ],
  },
});
