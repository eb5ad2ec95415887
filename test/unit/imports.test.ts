import { readdirSync, readFileSync } from "node:fs";
import { dirname, posix } from "node:path";
import ts from "typescript";
import { describe, expect, it } from "vitest";

/**
 * Who may import whom in src/, lowest first: a file uses only files of lines above its own, and of its own line
 * those before it. Type imports count: a type from above is knowledge of what is above.
 */
const LAYERS: readonly (readonly string[])[] = [
  ["errors", "event", "diagnostics", "context", "sse/encode", "sse/stream-bytes"],
  ["timers", "turn", "report", "compaction", "session-log", "frames"],
  ["hooks", "reporter", "listeners", "session", "sessions", "bus-core"],
  ["follow", "run", "connection", "bus"],
  ["testing", "index"],
  ["sse/event-stream", "sse/handler"],
  [
    "adapters/framework",
    "adapters/chunked-socket",
    "adapters/response-sink",
    "adapters/web-response",
    "adapters/node-shortcut",
    "adapters/node",
    "adapters/express",
    "adapters/fetch",
    "adapters/hono",
    "adapters/websocket",
  ],
];

/** Narrower than the layers: these use nothing else of src/. */
const ONLY: Readonly<Record<string, readonly string[]>> = {
  errors: [],
  event: [],
  "sse/encode": [],
  compaction: ["event"],
  "session-log": ["compaction", "event"],
  testing: ["event", "reporter"],
};

/** Modules of others that may be imported, as types only. */
const TYPES_ONLY = /^(express|hono|typed-emitter|node:\w+)$/;

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

describe("src/", () => {
  const order = LAYERS.flat();

  it("has no file that the table above does not know", () => {
    expect(files.filter((file) => !order.includes(file))).toEqual([]);
    expect(order.filter((file) => !files.includes(file))).toEqual([]);
  });

  it("imports downwards only: so there is no cycle, not even of types", () => {
    const upwards = own.filter(({ from, to }) => order.indexOf(to) >= order.indexOf(from));
    expect(upwards.map(show)).toEqual([]);
  });

  it.each(Object.entries(ONLY))("%s imports nothing of src/ but %j", (file, allowed) => {
    const others = own.filter(({ from, to }) => from === file && !allowed.includes(to));
    expect(others.map(show)).toEqual([]);
  });

  it("uses frameworks and Node as types only", () => {
    const atRuntime = foreign.filter(({ to, typeOnly }) => !typeOnly || !TYPES_ONLY.test(to));
    expect(atRuntime.map(show)).toEqual([]);
  });

  it("imports frameworks in adapters only", () => {
    const elsewhere = foreign.filter(
      ({ from, to }) => to !== "typed-emitter" && !from.startsWith("adapters/"),
    );
    expect(elsewhere.map(show)).toEqual([]);
  });

  it("loads no module by name at run time, but for process.getBuiltinModule", () => {
    const dynamic = files.filter((file) =>
      /\bimport\(|\brequire\(/.test(readFileSync(new URL(`${file}.ts`, root), "utf8")),
    );
    expect(dynamic).toEqual([]);
  });

  it("has an index that only re-exports, and nothing of adapters", () => {
    const text = readFileSync(new URL("index.ts", root), "utf8");
    const { statements } = ts.createSourceFile("index", text, ts.ScriptTarget.Latest);
    expect(statements.every((statement) => ts.isExportDeclaration(statement) && statement.exportClause)).toBe(
      true,
    );
    const reached = own.filter(({ from, to }) => from === "index" && /^(adapters|sse|testing)/.test(to));
    expect(reached).toEqual([]);
  });

  it("has no file over 300 lines", () => {
    const long = files.filter(
      (file) => readFileSync(new URL(`${file}.ts`, root), "utf8").split("\n").length > 301,
    );
    expect(long).toEqual([]);
  });
});
