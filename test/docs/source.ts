import { join } from "node:path";
import ts from "typescript";
import { read, ROOT } from "./blocks.ts";

/** One member of an interface, a type literal or a union, as the source has it. */
export interface Member {
  readonly name: string;
  readonly optional: boolean;
  /** The names of its parameters, when it is a function. */
  readonly parameters: readonly string[];
}

export function parse(name: string, text: string): ts.SourceFile {
  return ts.createSourceFile(name, text, ts.ScriptTarget.Latest, true);
}

/** The members of the interface or type `name` of a file in src/; those of an interface beside it as `history.maxEvents`. */
export function membersOf(file: string, name: string): Member[] {
  return membersIn(parse(join(ROOT, file), read(file)), name);
}

export function membersIn(source: ts.SourceFile, name: string): Member[] {
  for (const statement of source.statements) {
    if (ts.isInterfaceDeclaration(statement) && statement.name.text === name) {
      return statement.members.flatMap((member) => flatten(member, "", source));
    }
    if (ts.isTypeAliasDeclaration(statement) && statement.name.text === name) {
      return ts.isTypeLiteralNode(statement.type)
        ? statement.type.members.flatMap((member) => flatten(member, "", source))
        : words(statement.type);
    }
  }
  throw new Error(`${source.fileName} declares no ${name}`);
}

function flatten(member: ts.TypeElement, prefix: string, source: ts.SourceFile): Member[] {
  if (!ts.isPropertySignature(member) || member.type === undefined) throw new Error(member.getText());
  const name = prefix + member.name.getText();
  const types: readonly ts.TypeNode[] = ts.isUnionTypeNode(member.type) ? member.type.types : [member.type];
  const nested = types.flatMap((type) => interfaceIn(source, type)?.members ?? []);
  if (nested.length > 0) return nested.flatMap((inner) => flatten(inner, `${name}.`, source));
  const parameters = ts.isFunctionTypeNode(member.type)
    ? member.type.parameters.map((one) => one.name.getText() + (one.questionToken ? "?" : ""))
    : [];
  return [{ name, optional: member.questionToken !== undefined, parameters }];
}

/** The interface of the same file that `type` names, if it names one. */
function interfaceIn(source: ts.SourceFile, type: ts.TypeNode): ts.InterfaceDeclaration | undefined {
  if (!ts.isTypeReferenceNode(type)) return undefined;
  return source.statements.find(
    (statement): statement is ts.InterfaceDeclaration =>
      ts.isInterfaceDeclaration(statement) && statement.name.text === type.typeName.getText(),
  );
}

function words(type: ts.TypeNode): Member[] {
  const types = ts.isUnionTypeNode(type) ? [...type.types] : [type];
  return types.map((one) => ({ name: one.getText().slice(1, -1), optional: false, parameters: [] }));
}

/** The defaults of the destructured names in the functions `names` of a file, as source text. */
export function defaultsIn(file: string, ...names: string[]): Map<string, string> {
  const found = new Map<string, string>();
  const visit = (node: ts.Node): void => {
    if (ts.isBindingElement(node) && node.initializer && ts.isIdentifier(node.name)) {
      found.set(node.name.text, node.initializer.getText());
    }
    ts.forEachChild(node, visit);
  };
  for (const statement of parse(file, read(file)).statements) {
    if (ts.isFunctionDeclaration(statement) && names.includes(statement.name?.text ?? "")) visit(statement);
  }
  return found;
}
