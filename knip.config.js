/**
 * What nobody uses is to go: files, exports, types and dependencies. `npm run unused`
 *
 * @type {import("knip").KnipConfig}
 */
export default {
  workspaces: {
    ".": {
      entry: [
        // Started by their names: programs, tests' processes, and what a framework or another module format loads.
        "examples/**/{check,main,run-all}.ts",
        "examples/five-approaches/[0-9]-*.ts",
        "examples/drop-in/next-route-handler/app/**/route.ts",
        "examples/drop-in/express4-commonjs/app.cjs",
        "scripts/**/*.mjs",
        "test/**/*.test-d.ts",
        "test/support/*-process.ts",
        "*.md",
        "docs/**/*.md",
      ],
      project: ["src/**", "test/**", "examples/**", "scripts/**", "*.{js,ts,md}", "docs/**/*.md"],
      // Started as a program by a test
      ignoreDependencies: ["@sinonjs/fake-timers", "jest"],
    },
    bench: {
      entry: ["*.mjs", "lib/*-process.mjs", "peers/*.mjs", "scenarios/*.mjs", "**/*.md"],
      project: "**/*.{mjs,md}",
    },
  },
  compilers: {
    // The packages that the documentation's code imports: test/docs compiles and runs it.
    md: (text) =>
      [...text.matchAll(/^(?:import|\}) ?.*"([^."][^"]*)";$/gm)]
        .map(([, name]) => `import "${name}";`)
        .join("\n"),
  },
};
