import { languageOf, type Language } from "./languages.ts";
import { isModule, longestFunction, type NamedFunction } from "./modules.ts";

export interface FileMeasure {
  readonly path: string;
  /** Left out for prose, data and configuration: they have lines, but no code. */
  readonly language?: string | undefined;
  readonly lines: number;
  readonly code: number;
  readonly comments: number;
  readonly todos: number;
  /** Characters of the longest line. */
  readonly longestLine: number;
  /** Known for JavaScript and TypeScript. */
  readonly longestFunction?: NamedFunction | undefined;
}

/** A line of text holds no line break, so this block never opens. */
const NO_BLOCK = ["\n", "\n"] as const;

/** A mark, not a word in a sentence: first in its comment, or with a colon or an author. */
const TODO = /^[\s/*#<!-]*(?:TODO|FIXME)\b|\b(?:TODO|FIXME)[:(]/;

export function measureText(path: string, text: string): FileMeasure {
  const lines = splitLines(text);
  const language = languageOf(path);
  return {
    path,
    lines: lines.length,
    longestLine: lines.reduce((longest, line) => Math.max(longest, line.length), 0),
    ...(language === undefined
      ? { code: 0, comments: 0, todos: 0 }
      : { language: language.name, ...countCode(lines, language) }),
    longestFunction: isModule(path) ? longestFunction(path, text) : undefined,
  };
}

function splitLines(text: string): string[] {
  if (text === "") return [];
  return text.replace(/\r?\n$/, "").split(/\r?\n/);
}

/** As line counters do: a line is code unless it is blank or holds nothing but a comment. */
function countCode(lines: readonly string[], { line: mark, block: [open, close] = NO_BLOCK }: Language) {
  const counts = { code: 0, comments: 0, todos: 0 };
  let inBlock = false;
  for (const line of lines) {
    const text = line.trim();
    const opens: boolean = !inBlock && text.startsWith(open);
    const comment: string = inBlock || opens ? text : commentIn(text, mark);
    if (comment === text && text !== "") counts.comments += 1;
    else if (text !== "") counts.code += 1;
    if (TODO.test(comment)) counts.todos += 1;
    if (inBlock || opens) inBlock = !text.includes(close, opens ? open.length : 0);
  }
  return counts;
}

/** The rest of a line from its comment mark on. */
function commentIn(text: string, mark: string | undefined): string {
  const start = mark === undefined ? -1 : text.indexOf(mark);
  return start === -1 ? "" : text.slice(start);
}
