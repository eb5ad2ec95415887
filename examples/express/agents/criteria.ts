import type { FileMeasure } from "../analysis/measure.ts";
import type { NamedFunction } from "../analysis/modules.ts";
import type { ImportMap } from "./architect.ts";
import type { Measures } from "./codesmith.ts";
import { count } from "./words.ts";

export interface Reason {
  readonly good: boolean;
  readonly text: string;
}

const MAX_FUNCTION_LINES = 80;
const MAX_LINE_CHARACTERS = 160;
const MAX_FILE_CODE = 500;
const MAX_TODOS_PER_1000 = 2;
const TEST_PATH = /(^|\/)(tests?|__tests__|specs?)\/|[._-](test|spec)\.[^/]+$|(^|\/)test_[^/]+$/i;

/** What speaks for a tree and what against it; nothing is said of what it does not have. */
export function weigh(map: ImportMap, measures: Measures, unreadable: number): Reason[] {
  return [
    aboutCycles(map),
    aboutFunctions(measures),
    aboutFileSize(measures),
    aboutTodos(measures),
    aboutTests(measures),
    aboutUnreadable(unreadable),
  ].filter((reason) => reason !== undefined);
}

function aboutCycles({ modules, cycles: [first, ...others] }: ImportMap): Reason | undefined {
  if (modules === 0) return undefined;
  if (first === undefined) return { good: true, text: `no import cycles among ${count(modules, "module")}` };
  const more = others.length === 0 ? "" : ` and ${others.length} more`;
  return { good: false, text: `files import each other in a circle: ${first.join(" → ")}${more}` };
}

function aboutFunctions(measures: Measures): Reason | undefined {
  const longest = longestFunctionOf(measures);
  if (longest === undefined) return aboutLines(measures);
  const where = `the longest function, ${longest.name} (${longest.path}:${longest.line}), has ${count(longest.lines, "line")}`;
  return { good: longest.lines <= MAX_FUNCTION_LINES, text: where };
}

/** For languages whose functions are not measured. */
function aboutLines({ files }: Measures): Reason | undefined {
  const [widest] = files
    .filter((file) => file.language !== undefined && isProduct(file))
    .sort((a, b) => b.longestLine - a.longestLine);
  if (widest === undefined) return undefined;
  const text = `the longest line (${widest.path}) has ${count(widest.longestLine, "character")}`;
  return { good: widest.longestLine <= MAX_LINE_CHARACTERS, text };
}

export function longestFunctionOf({ files }: Measures): (NamedFunction & { path: string }) | undefined {
  return files
    .filter(isProduct)
    .flatMap(({ path, longestFunction }) => (longestFunction ? { path, ...longestFunction } : []))
    .reduce<(NamedFunction & { path: string }) | undefined>(
      (longest, one) => (one.lines > (longest?.lines ?? 0) ? one : longest),
      undefined,
    );
}

/** Tests list many cases; that makes them long, not hard to read. */
function isProduct({ path }: FileMeasure): boolean {
  return !TEST_PATH.test(path);
}

function aboutFileSize({ files, code }: Measures): Reason | undefined {
  const [largest] = files.filter(isProduct).sort((a, b) => b.code - a.code);
  if (largest === undefined || code === 0) return undefined;
  const tooLarge = files.filter((file) => isProduct(file) && file.code > MAX_FILE_CODE).length;
  const example = `${largest.path} has ${count(largest.code, "line")} of code`;
  if (tooLarge === 0) return { good: true, text: `no file is too large: ${example}` };
  return { good: false, text: `${count(tooLarge, "file")} above ${MAX_FILE_CODE} lines of code: ${example}` };
}

function aboutTodos({ todos, code }: Measures): Reason | undefined {
  if (code === 0) return undefined;
  return { good: todos * 1_000 <= code * MAX_TODOS_PER_1000, text: `${count(todos, "TODO")} in comments` };
}

function aboutTests({ files, code }: Measures): Reason | undefined {
  if (code === 0) return undefined;
  const tests = files.filter((file) => file.language !== undefined && !isProduct(file)).length;
  return { good: tests > 0, text: tests > 0 ? `${count(tests, "file")} of tests` : "no tests" };
}

function aboutUnreadable(unreadable: number): Reason | undefined {
  if (unreadable === 0) return undefined;
  return { good: false, text: `${count(unreadable, "file")} could not be read` };
}
