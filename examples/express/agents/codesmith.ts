import { reportProgress, withAgent } from "session-progress";
import { type FileMeasure, measureText } from "../analysis/measure.ts";
import { readText, type SourceTree } from "../source-tree.ts";
import { eachFile, type Pace } from "./each-file.ts";
import { count } from "./words.ts";

export interface Measures {
  readonly files: readonly FileMeasure[];
  /** Files that turned out to be no text. */
  readonly binary: number;
  readonly unreadable: number;
  readonly lines: number;
  readonly code: number;
  readonly todos: number;
  /** Lines of code in each language, most first. */
  readonly languages: Readonly<Record<string, number>>;
}

/** Measures every file. */
export function codesmith(tree: SourceTree, pace?: Pace): Promise<Measures> {
  return withAgent("codesmith", async () => {
    reportProgress({
      phase: "think",
      progress: 0,
      message: `${count(tree.files.length, "file")}: how large, and what is in them?`,
    });
    const results = await eachFile(tree.files, (path) => measureFile(tree, path), describe, pace);
    const measures = sum(results);
    decide(measures);
    const { files, ...figures } = measures;
    reportProgress({
      phase: "result",
      progress: 1,
      message: `${count(measures.lines, "line")} in ${count(files.length, "text file")}, ${count(measures.code, "line")} of code`,
      data: { ...figures, files: files.length },
    });
    return measures;
  });
}

type Result = FileMeasure | "binary" | "unreadable";

async function measureFile(tree: SourceTree, path: string): Promise<Result> {
  const reading = await readText(tree, path);
  return "text" in reading ? measureText(path, reading.text) : reading.problem;
}

function describe(result: Result, path: string): string {
  if (result === "binary") return `${path}: no text`;
  if (result === "unreadable") return `${path}: cannot be read`;
  return `${path}: ${count(result.lines, "line")}`;
}

function sum(results: readonly Result[]): Measures {
  const files = results.filter((result) => typeof result === "object");
  const total = (of: (file: FileMeasure) => number) => files.reduce((before, file) => before + of(file), 0);
  return {
    files,
    binary: results.filter((result) => result === "binary").length,
    unreadable: results.filter((result) => result === "unreadable").length,
    lines: total(({ lines }) => lines),
    code: total(({ code }) => code),
    todos: total(({ todos }) => todos),
    languages: languagesOf(files),
  };
}

function languagesOf(files: readonly FileMeasure[]): Record<string, number> {
  const code = new Map<string, number>();
  for (const file of files) {
    if (file.language !== undefined) code.set(file.language, (code.get(file.language) ?? 0) + file.code);
  }
  return Object.fromEntries([...code].sort(([, a], [, b]) => b - a));
}

function decide({ languages, code }: Measures): void {
  const [first] = Object.entries(languages);
  if (first === undefined || code === 0) return;
  const share = Math.round((first[1] / code) * 100);
  reportProgress({ phase: "decision", message: `It is ${first[0]}: ${share}% of the code` });
}
