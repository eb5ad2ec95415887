import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

export const ROOT = join(import.meta.dirname, "../..");

/** A fenced block of code in a document. */
export interface Block {
  /** The document, relative to the root. */
  readonly file: string;
  /** Where its code begins, counted from 1. */
  readonly line: number;
  readonly language: string;
  /** What follows the language: `run`, `alone`, `ignore-check` and its reason, or a name. */
  readonly tag: string;
  readonly code: string;
}

/** All documents for people, relative to the root. */
export function documents(): string[] {
  const root = readdirSync(ROOT).filter((name) => name.endsWith(".md"));
  const docs = readdirSync(join(ROOT, "docs"), { recursive: true, encoding: "utf8" });
  // What typedoc writes to docs/api is not for people to keep true.
  const written = docs.filter((path) => path.endsWith(".md") && !path.startsWith("api"));
  return [...root, ...written.map((path) => `docs/${path}`)];
}

export function read(file: string): string {
  return readFileSync(join(ROOT, file), "utf8");
}

function blocksOf(file: string): Block[] {
  const text = read(file);
  return [...text.matchAll(/^```(\w+)(?: ([^\n]+))?\n(.*?)^```$/gms)].map((match) => ({
    file,
    line: text.slice(0, match.index).split("\n").length + 1,
    language: match[1]!,
    tag: match[2] ?? "",
    code: match[3]!,
  }));
}

/** The `ts` blocks in the comments of the files in `folder`, as they stand there. */
export function examplesOf(folder: string): Block[] {
  return readdirSync(join(ROOT, folder)).flatMap((name) => {
    const file = `${folder}/${name}`;
    const text = read(file);
    return [...text.matchAll(/^ \* ```ts\n(.*?)^ \* ```$/gms)].map(({ index, 1: code = "" }) => ({
      file,
      line: text.slice(0, index).split("\n").length + 1,
      language: "ts",
      tag: "",
      code: code.replaceAll(/^ \* ?/gm, ""),
    }));
  });
}

export const blocks: readonly Block[] = documents().flatMap(blocksOf);

/** The one block of `file` that is tagged `tag`. */
export function block(file: string, tag: string): Block {
  const found = blocks.filter((one) => one.file === file && one.tag === tag);
  if (found.length !== 1) throw new Error(`${file} has ${found.length} blocks tagged "${tag}"`);
  return found[0]!;
}

/** The rows of the `nth` table in `file` whose first heading is `heading`, without that and the rule below it. */
export function table(file: string, heading: string, nth = 0): string[][] {
  const lines = read(file).split("\n");
  const heads = lines.flatMap((line, index) => (line.startsWith(`| ${heading} `) ? index : []));
  const rows: string[][] = [];
  for (const line of lines.slice((heads[nth] ?? Infinity) + 2)) {
    if (!line.startsWith("|")) break;
    const cells = line.split("|").slice(1, -1);
    rows.push(cells.map((cell) => cell.trim()));
  }
  if (rows.length === 0) throw new Error(`${file} has no table ${nth} headed "${heading}"`);
  return rows;
}

/** Whether a block of README.md goes to the end of its server: it says that code which imports nothing does. */
export function growsServer({ file, language, code }: Block): boolean {
  return file === "README.md" && language === "ts" && !/^import /m.test(code);
}

/** The file that the paragraph before a block names, if it names one. */
export function fileNamedBefore({ file, line }: Block): string | undefined {
  const before = read(file)
    .split("\n")
    .slice(0, line - 2)
    .join("\n")
    .trimEnd();
  const paragraph = before.slice(before.lastIndexOf("\n\n"));
  return [...paragraph.matchAll(/`([\w-]+\.(?:[cm]?[jt]s|html))`/g)].at(-1)?.[1];
}
