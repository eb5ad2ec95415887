import { readdirSync, readFileSync } from "node:fs";
import { dirname, posix } from "node:path";
import ts from "typescript";
import { describe, expect, test } from "vitest";

/**
 * The rows of ARCHITECTURE.md, "Who may import whom": a folder imports from the folders that its row names, of
 * which all stand above it, and of its own files. Types count: a type from above is knowledge of what is above.
 */
const ROWS: ReadonlyMap<string, readonly string[]> = new Map(
  readFileSync(new URL("../../ARCHITECTURE.md", import.meta.url), "utf8")
    .split("\n")
    .flatMap((line) => {
      const [, folder, may] = /^\| `(\S+)\/` +\|[^|]*\| ([^|]*?) *\|$/.exec(line) ?? [];
      return folder === undefined ? [] : [[folder, may!.replaceAll("`", "").split(/[ ,]+/)] as const];
    }),
);

/** Modules of others that may be imported, as types only. */
const TYPES_ONLY = /^(express|fastify|hono|typed-emitter|node:\w+)$/;

interface Import {
  readonly from: string;
  readonly to: string;
  readonly typeOnly: boolean;
}

const root = new URL("../../src/", import.meta.url);
const files = readdirSync(root, { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".ts"))
  .map((file) => file.replaceAll("\\", "/").replace(/\.ts$/, ""));

function importsOf(file: string): Import[] {
  const text = readFileSync(new URL(`${file}.ts`, root), "utf8");
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest);
  return source.statements.flatMap((statement) => {
    if (!ts.isImportDeclaration(statement) && !ts.isExportDeclaration(statement)) return [];
    const { moduleSpecifier } = statement;
    if (moduleSpecifier === undefined || !ts.isStringLiteral(moduleSpecifier)) return [];
    const { text: specifier } = moduleSpecifier;
    const to = specifier.startsWith(".")
      ? posix.join(dirname(file), specifier).replace(/\.ts$/, "")
      : specifier;
    return { from: file, to, typeOnly: isTypeOnly(statement) };
  });
}

function isTypeOnly(statement: ts.ImportDeclaration | ts.ExportDeclaration): boolean {
  if (ts.isExportDeclaration(statement)) return statement.isTypeOnly;
  return statement.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword;
}

const imports = files.flatMap(importsOf);
const own = imports.filter(({ to }) => files.includes(to));
const foreign = imports.filter(({ to }) => !files.includes(to));
const show = ({ from, to }: Import): string => `${from} → ${to}`;

const folderOf = (file: string): string => file.split("/")[0]!;

describe("src/", () => {
  const folders = [...ROWS.keys()];
  const inside = files.filter((file) => file !== "index");

  test("is folders that ARCHITECTURE.md knows, and an index", () => {
    expect([...new Set(inside.map(folderOf))].sort()).toEqual([...folders].sort());
  });

  test("has rows that allow only what stands above them", () => {
    const above = folders.flatMap((folder, row) =>
      ROWS.get(folder)!.filter((may) => may !== "nothing" && !folders.slice(0, row).includes(may)),
    );
    expect(above).toEqual([]);
  });

  test("imports from folders as their rows allow, types included", () => {
    const forbidden = own.filter(
      ({ from, to }) =>
        from !== "index" &&
        folderOf(from) !== folderOf(to) &&
        !ROWS.get(folderOf(from))!.includes(folderOf(to)),
    );
    expect(forbidden.map(show)).toEqual([]);
  });

  test("has no cycle between files, not even of types", () => {
    const next = new Map(
      files.map((file) => [file, own.filter(({ from }) => from === file).map(({ to }) => to)]),
    );
    const done = new Set<string>();
    const cycles: string[][] = [];
    const visit = (file: string, path: readonly string[]): void => {
      if (path.includes(file)) cycles.push([...path.slice(path.indexOf(file)), file]);
      if (done.has(file) || path.includes(file)) return;
      for (const to of next.get(file)!) visit(to, [...path, file]);
      done.add(file);
    };
    for (const file of files) visit(file, []);
    expect(cycles.map((cycle) => cycle.join(" → "))).toEqual([]);
  });

  test("uses frameworks and Node as types only", () => {
    const atRuntime = foreign.filter(({ to, typeOnly }) => !typeOnly || !TYPES_ONLY.test(to));
    expect(atRuntime.map(show)).toEqual([]);
  });

  test("knows frameworks and Node in adapters, transport/node and transport/fetch only", () => {
    const elsewhere = foreign.filter(
      ({ from, to }) => to !== "typed-emitter" && !/^(adapters|transport\/(node|fetch))\//.test(from),
    );
    expect(elsewhere.map(show)).toEqual([]);
  });

  test("loads no module by name at run time, but for process.getBuiltinModule", () => {
    const dynamic = files.filter((file) =>
      /\bimport\(|\brequire\(/.test(readFileSync(new URL(`${file}.ts`, root), "utf8")),
    );
    expect(dynamic).toEqual([]);
  });

  test("has an index that only re-exports, and nothing of adapters", () => {
    const text = readFileSync(new URL("index.ts", root), "utf8");
    const { statements } = ts.createSourceFile("index", text, ts.ScriptTarget.Latest);
    expect(statements.every((statement) => ts.isExportDeclaration(statement) && statement.exportClause)).toBe(
      true,
    );
    const reached = own.filter(
      ({ from, to }) => from === "index" && /^(adapters|transport|testing)/.test(to),
    );
    expect(reached).toEqual([]);
  });

  test("has no file over 300 lines", () => {
    const long = files.filter(
      (file) => readFileSync(new URL(`${file}.ts`, root), "utf8").split("\n").length > 301,
    );
    expect(long).toEqual([]);
  });
});
