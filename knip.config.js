/** What nobody uses is removed: files, exports and types, dependencies. `npm run unused` */
/** @type {import("knip").KnipConfig} */
export default {
  workspaces: {
    ".": {
      entry: [
        // Started by their names: programs, tests' processes, and what a framework or another module format loads.
        "examples/**/{check,main,run-all}.ts",
        "examples/five-approaches/[0-9]-*.ts",
        "examples/drop-in/next-route-handler/app/**/route.ts",
        "examples/drop-in/express4-commonjs/app.cjs",
        "scripts/*.mjs",
        "test/**/*.test-d.ts",
        "test/support/*-process.ts",
      ],
      project: ["src/**", "test/**", "examples/**", "scripts/**", "*.{js,ts}"],
    },
    bench: {
      entry: ["*.mjs", "lib/*-process.mjs", "peers/*.mjs", "scenarios/*.mjs"],
      project: "**/*.mjs",
    },
  },
};
