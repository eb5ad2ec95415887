import ts from "typescript";

export interface ModuleImport {
  readonly specifier: string;
  /** Erased by the compiler: it cannot be part of a cycle at run time. */
  readonly typeOnly: boolean;
}

export interface NamedFunction {
  readonly name: string;
  /** Where it begins, from 1. */
  readonly line: number;
  readonly lines: number;
}

export function isModule(path: string): boolean {
  return /\.[cm]?[jt]sx?$/i.test(path);
}

/** `import`, `export … from`, `import = require()`, `import()`, `require()` with a literal specifier. */
export function importsOf(path: string, text: string): ModuleImport[] {
  return [...nodesOf(parse(path, text))].flatMap((node) => importOf(node) ?? []);
}

/** The longest function that has a name; callbacks belong to the function they are in. */
export function longestFunction(path: string, text: string): NamedFunction | undefined {
  const source = parse(path, text);
  if (source === undefined) return undefined;
  let longest: NamedFunction | undefined;
  for (const node of nodesOf(source)) {
    const name = functionName(node, source);
    if (name === undefined) continue;
    const first = source.getLineAndCharacterOfPosition(node.getStart(source)).line;
    const lines = source.getLineAndCharacterOfPosition(node.end).line - first + 1;
    if (lines > (longest?.lines ?? 0)) longest = { name, line: first + 1, lines };
  }
  return longest;
}

function parse(path: string, text: string): ts.SourceFile | undefined {
  try {
    return ts.createSourceFile(path, text, {
      languageVersion: ts.ScriptTarget.ESNext,
      jsDocParsingMode: ts.JSDocParsingMode.ParseNone,
    });
  } catch {
    return undefined; // Nested deeper than the parser's stack: generated, there is nothing to review.
  }
}

function* nodesOf(source: ts.SourceFile | undefined): Generator<ts.Node> {
  const pending: ts.Node[] = source === undefined ? [] : [source];
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    yield node;
    ts.forEachChild(node, (child) => void pending.push(child));
  }
}

function importOf(node: ts.Node): ModuleImport | undefined {
  if (ts.isImportDeclaration(node)) {
    return literal(node.moduleSpecifier, node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword);
  }
  if (ts.isExportDeclaration(node)) return literal(node.moduleSpecifier, node.isTypeOnly);
  if (ts.isExternalModuleReference(node)) return literal(node.expression, false);
  if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
    return literal(node.argument.literal, true);
  }
  if (ts.isCallExpression(node) && isImportCall(node.expression)) return literal(node.arguments[0], false);
  return undefined;
}

function isImportCall(callee: ts.Expression): boolean {
  return (
    callee.kind === ts.SyntaxKind.ImportKeyword || (ts.isIdentifier(callee) && callee.text === "require")
  );
}

function literal(node: ts.Node | undefined, typeOnly: boolean): ModuleImport | undefined {
  return node !== undefined && ts.isStringLiteralLike(node) ? { specifier: node.text, typeOnly } : undefined;
}

function functionName(node: ts.Node, source: ts.SourceFile): string | undefined {
  if (ts.isConstructorDeclaration(node)) return "constructor";
  if (ts.isFunctionDeclaration(node)) return node.name?.text ?? "default";
  if (ts.isMethodDeclaration(node) || ts.isAccessor(node)) return node.name.getText(source);
  const named =
    ts.isVariableDeclaration(node) || ts.isPropertyDeclaration(node) || ts.isPropertyAssignment(node);
  const value = named ? node.initializer : undefined;
  const isFunction = value !== undefined && (ts.isArrowFunction(value) || ts.isFunctionExpression(value));
  return named && isFunction ? node.name.getText(source) : undefined;
}
