import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join, posix } from "node:path";
import { describe, expect, test } from "vitest";
import tsconfig from "../../tsconfig.json" with { type: "json" };
import tsup from "../../tsup.config.ts";
import { entries, installed, manifest, specifierOf } from "./installed.ts";

const files = readdirSync(installed, { recursive: true, encoding: "utf8" })
  .filter((name) => statSync(join(installed, name)).isFile())
  .map((name) => name.replaceAll("\\", "/"))
  .sort();

const textOf = (name: string): string => readFileSync(join(installed, name), "utf8");

describe("the tarball", () => {
  test("holds what is meant, and nothing else", () => {
    const kinds = files.map((name) =>
      name
        .replace(new RegExp(`^dist/(${entries.join("|")})(?=\\.)`), "dist/<entry>")
        .replace(/^dist\/[\w-]+-[\w-]{8}(?=\.)/, "dist/<shared>"),
    );
    expect([...new Set(kinds)].filter((name) => name.startsWith("dist/")).sort()).toMatchInlineSnapshot(`
      [
        "dist/<entry>.cjs",
        "dist/<entry>.cjs.map",
        "dist/<entry>.d.cts",
        "dist/<entry>.d.ts",
        "dist/<entry>.js",
        "dist/<entry>.js.map",
        "dist/<shared>.cjs",
        "dist/<shared>.cjs.map",
        "dist/<shared>.d.cts",
        "dist/<shared>.d.ts",
        "dist/<shared>.js",
        "dist/<shared>.js.map",
      ]
    `);
    const documents = [
      "CHANGELOG.md",
      "LICENSE",
      "PROTOCOL.md",
      "README.md",
      "SECURITY.md",
      "THIRD-PARTY-NOTICES.md",
      "docs/clients.md",
      "docs/growth.svg",
      "docs/performance.md",
      "docs/recipes.md",
      "docs/recipes/access.md",
      "docs/recipes/frameworks.md",
      "docs/recipes/mocks.md",
      "docs/recipes/operations.md",
      "docs/runtimes.md",
      "docs/why.md",
      "package.json",
    ];
    expect(files.filter((name) => !name.startsWith("dist/"))).toEqual(
      documents.filter((name) => existsSync(join(import.meta.dirname, "../..", name))),
    );
  });

  test("has everything that its documents link to, and links elsewhere by whole addresses", () => {
    for (const name of files.filter((one) => one.endsWith(".md"))) {
      for (const [, link, reference] of textOf(name).matchAll(/\]\(([^)\s]+)\)|^\[[^\]]+\]: (\S+)$/gm)) {
        const [path = ""] = (link ?? reference!).split("#");
        if (path === "" || path.startsWith("https:")) continue;
        expect(files, `${name}: ${path}`).toContain(posix.join(posix.dirname(name), path));
      }
    }
  });

  test("names no path of the machine it was made on", () => {
    const root = join(import.meta.dirname, "../..");
    for (const name of files) expect(textOf(name).includes(root), name).toBe(false);
    for (const name of files.filter((one) => one.endsWith(".map"))) {
      const { sources } = JSON.parse(textOf(name)) as { sources: string[] };
      for (const source of sources) expect(source, name).toMatch(/^\.\.\/src\//);
    }
  });

  test("brings no code and no types of others along, beyond what THIRD-PARTY-NOTICES says", () => {
    const imported = new Set<string>();
    for (const name of files.filter((one) => /\.(c?js|d\.c?ts)$/.test(one))) {
      for (const [, specifier] of textOf(name).matchAll(
        /(?:from|import|require)\s*\(?\s*['"]([^.'"][^'"]*)['"]/g,
      )) {
        // Examples in comments import the package itself.
        if (!specifier!.startsWith("session-progress")) imported.add(specifier!);
      }
    }
    expect([...imported].sort()).toMatchInlineSnapshot(`
      [
        "express",
        "fastify",
        "hono",
        "node:http",
        "node:http2",
      ]
    `);
    expect(textOf("THIRD-PARTY-NOTICES.md")).toContain("typed-emitter");
  });
});

describe("package.json, tsconfig.json and tsup.config.ts name the same entries", () => {
  test("exports", () => {
    expect(entries.map(specifierOf)).toEqual(Object.keys(tsconfig.compilerOptions.paths));
    for (const [path, conditions] of Object.entries(manifest.exports)) {
      if (path === "./package.json") continue;
      const name = path === "." ? "./dist/index" : path.replace("./", "./dist/");
      const esm = { types: `${name}.d.ts`, default: `${name}.js` };
      const commonJs = { types: `${name}.d.cts`, default: `${name}.cjs` };
      // The order counts: the first condition that holds wins.
      expect(JSON.stringify(conditions), path).toBe(
        JSON.stringify({ "module-sync": esm, import: esm, require: commonJs }),
      );
      for (const file of Object.values({ ...esm, cts: commonJs.types, cjs: commonJs.default })) {
        expect(files, path).toContain(file.slice(2));
      }
    }
  });

  test("typesVersions", () => {
    const versions = Object.fromEntries(
      entries.filter((entry) => entry !== "index").map((entry) => [entry, [`./dist/${entry}.d.ts`]]),
    );
    expect(manifest.typesVersions).toEqual({ "*": versions });
  });

  test("the build", () => {
    expect(Object.keys((tsup as { entry: object }).entry)).toEqual(entries);
  });
});
