import { describe, expect, test } from "vitest";
import { entries, runInProject, specifierOf } from "./installed.ts";

/** Loads every entry both ways and tells what is exported twice, and what only once. */
const compare = `
  import { createRequire } from "node:module";
  const require = createRequire(import.meta.url);
  const answer = {};
  for (const specifier of ${JSON.stringify(entries.map(specifierOf))}) {
    const imported = await import(specifier);
    const required = require(specifier);
    const named = (module) => Object.keys(module).filter((name) => name !== "__esModule").sort();
    answer[specifier] = {
      names: named(imported).join(" "),
      sameNames: named(imported).join() === named(required).join(),
      same: named(imported).every((name) => imported[name] === required[name]),
    };
  }
  console.log(JSON.stringify(answer));
`;

/** An app that imports, a part of it that requires. */
const meet = `
  import { createRequire } from "node:module";
  import { createEventBus } from "session-progress";
  import { sseHandler } from "session-progress/node";
  const require = createRequire(import.meta.url);
  const { reportProgress, withAgent } = require("session-progress");
  const seen = [];
  const bus = createEventBus();
  sseHandler(bus);
  require("session-progress/node").sseHandler(bus);
  bus.subscribe("s1", ({ event }) => seen.push(event.agent + ": " + event.msg));
  await bus.withSession("s1", async () => {
    await null;
    withAgent("legacy", () => reportProgress({ message: "required" }));
  });
  console.log(JSON.stringify(seen));
`;

/** Makes Node forget the condition \`module-sync\`, as if it could not require ES modules. */
const withoutModuleSync = ["--no-experimental-require-module"];
const canForget = process.allowedNodeEnvironmentFlags.has(withoutModuleSync[0]!);

describe("how the package is resolved", () => {
  test("import and require get one copy of every entry", async () => {
    const compared = (await runInProject("module", compare)) as Record<string, object>;
    expect(Object.keys(compared)).toEqual(entries.map(specifierOf));
    for (const [specifier, result] of Object.entries(compared)) {
      expect(result, specifier).toMatchObject({ same: true, sameNames: true });
    }
  });

  test.runIf(canForget)("without module-sync they get a copy each, with the same names", async () => {
    const compared = (await runInProject("module", compare, withoutModuleSync)) as Record<string, object>;
    for (const [specifier, result] of Object.entries(compared)) {
      expect(result, specifier).toMatchObject({ same: false, sameNames: true });
    }
  });

  test.each([["one copy", []] as const, ...(canForget ? [["two copies", withoutModuleSync] as const] : [])])(
    "what is required reports to what was imported: %s",
    async (_, flags) => {
      expect(await runInProject("module", meet, flags)).toEqual(["legacy: required"]);
    },
  );

  test("a CommonJS program needs nothing but require", async () => {
    const source = `
      const { createReporter, reportProgress } = require("session-progress");
      const messages = [];
      createReporter((event) => messages.push(event.msg)).run(() => reportProgress({ message: "plain" }));
      console.log(JSON.stringify(messages));
    `;
    expect(await runInProject("commonjs", source)).toEqual(["plain"]);
    if (canForget) expect(await runInProject("commonjs", source, withoutModuleSync)).toEqual(["plain"]);
  });

  test("nothing beyond the entries can be reached", async () => {
    const source = `
      const tried = await Promise.allSettled(
        ["session-progress/dist/index.js", "session-progress/client/none"].map((name) => import(name)),
      );
      console.log(JSON.stringify(tried.map(({ reason }) => reason?.code)));
    `;
    expect(await runInProject("module", source)).toEqual([
      "ERR_PACKAGE_PATH_NOT_EXPORTED",
      "ERR_PACKAGE_PATH_NOT_EXPORTED",
    ]);
  });
});
