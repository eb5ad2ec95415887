import { join } from "node:path";
import ts from "typescript";
import { expect, test } from "vitest";
import { type Block, block, blocks, examplesOf, fileNamedBefore, growsServer, ROOT } from "./blocks.ts";

const TYPESCRIPT = blocks.filter(({ language }) => language === "ts");
/** What the comments of src/adapters show, with the imports that it takes for granted. */
const EXAMPLES: readonly Block[] = examplesOf("src/adapters").map((one) => {
  const entry = /(\w+)\.ts$/.exec(one.file)![1]!;
  const name = entry === "websocket" ? "followOverWebSocket" : "sseHandler";
  const imports = [
    'import { createServer } from "node:http";',
    'import { Hono } from "hono";',
    `import { ${name} } from "session-progress/${entry}";`,
  ];
  return { ...one, code: `${imports.join(" ")} ${one.code}` };
});
const IGNORED = /^ignore-check(?: (.+))?$/;

test("every TypeScript block compiles", () => {
  const together = TYPESCRIPT.filter(({ tag }) => !["alone", "nest"].includes(tag) && !IGNORED.test(tag));
  expect(together.length).toBeGreaterThan(5);
  expect(complaints(together.map(afterServer))).toEqual([]);
});

/** What README.md has readers put at the end of its server, with that server. */
function afterServer(given: Block): Block {
  if (!growsServer(given)) return given;
  const { code } = block("README.md", "server");
  return { ...given, code: code + given.code, line: given.line - code.split("\n").length + 1 };
}

test("the code of README.md is JavaScript too, but for files that it calls .mts", () => {
  for (const { file, line, code } of TYPESCRIPT.filter(
    (one) => one.file === "README.md" && !fileNamedBefore(one)?.endsWith(".mts"),
  )) {
    const options = { allowJs: true, module: ts.ModuleKind.ESNext };
    const { diagnostics } = ts.transpileModule(code, {
      fileName: "x.mjs",
      reportDiagnostics: true,
      compilerOptions: options,
    });
    expect(
      diagnostics?.map(({ messageText }) => messageText),
      `${file}:${line}`,
    ).toEqual([]);
  }
});

test("every example in the adapters' comments compiles", { timeout: 60_000 }, () => {
  expect(EXAMPLES.length).toBeGreaterThan(4);
  expect(complaints(EXAMPLES)).toEqual([]);
});

test(
  "a block that changes types for all others changes them, and README.md compiles with it",
  { timeout: 60_000 },
  () => {
    const alone = TYPESCRIPT.filter(({ tag }) => tag === "alone");
    expect(alone).toHaveLength(1);
    const code = `${alone[0]!.code}
    import { reportProgress } from "session-progress";
    reportProgress({ data: { file: "a.ts" } });
    // @ts-expect-error: no number any more
    reportProgress({ data: 1 });`;
    const others = TYPESCRIPT.filter(({ file, tag }) => file === "README.md" && tag !== "alone");
    expect(complaints([{ ...alone[0]!, code }, ...others.map(afterServer)])).toEqual([]);
  },
);

test("NestJS's decorators compile as it wants them", () => {
  const nest = TYPESCRIPT.filter(({ tag }) => tag === "nest");
  expect(nest).toHaveLength(1);
  expect(complaints(nest, { experimentalDecorators: true })).toEqual([]);
});

test("a block that is not checked says why", () => {
  for (const { file, line, tag } of TYPESCRIPT) {
    const ignored = IGNORED.exec(tag);
    if (ignored) expect(ignored[1], `${file}:${line}`).toBeDefined();
  }
});

const parsed = new Map<string, ts.SourceFile | undefined>();

/** What the compiler finds in `given`, each block a module of its own beside its document. */
function complaints(given: readonly Block[], more: ts.CompilerOptions = {}): string[] {
  const config = ts.readConfigFile(join(ROOT, "tsconfig.json"), (path) => ts.sys.readFile(path));
  const { options } = ts.parseJsonConfigFileContent({ ...config.config, files: [] }, ts.sys, ROOT);
  // House rules of this repository, not of its readers.
  Object.assign(options, {
    noPropertyAccessFromIndexSignature: false,
    noUnusedLocals: false,
    noUnusedParameters: false,
    ...more,
  });
  const modules = new Map(given.map((one) => [join(ROOT, `${one.file}.${one.line}.ts`), one]));
  const host = ts.createCompilerHost(options);
  const { fileExists, getSourceFile } = host;
  host.fileExists = (path) => modules.has(path) || fileExists(path);
  host.getSourceFile = (path, target) => {
    const found = modules.get(path);
    if (found) return ts.createSourceFile(path, `${found.code}\nexport {};\n`, target);
    if (!parsed.has(path)) parsed.set(path, getSourceFile(path, target));
    return parsed.get(path);
  };
  const prelude = join(import.meta.dirname, "prelude.d.ts");
  const program = ts.createProgram({ rootNames: [prelude, ...modules.keys()], options, host });
  return [...modules].flatMap(([path, { file, line }]) => {
    const source = program.getSourceFile(path);
    return [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)].map(
      ({ start = 0, messageText }) => {
        const at = line + (source?.getLineAndCharacterOfPosition(start).line ?? 0);
        return `${file}:${at} ${ts.flattenDiagnosticMessageText(messageText, "\n")}`;
      },
    );
  });
}
