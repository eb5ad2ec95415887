import { basename } from "node:path";
import { reportProgress, withAgent } from "session-progress";
import { isModule } from "../analysis/modules.ts";
import { readTree, type SourceTree } from "../source-tree.ts";
import { architect } from "./architect.ts";
import { codesmith } from "./codesmith.ts";
import type { Pace } from "./each-file.ts";
import { reviewer, type Review } from "./reviewer.ts";
import { count } from "./words.ts";

/** Reviews the source tree below `root`: plans, has the work done, and hands back the verdict. */
export function supervisor(root: string, pace?: Pace): Promise<Review> {
  return withAgent("supervisor", async () => {
    const started = performance.now();
    reportProgress({ phase: "think", progress: 0, message: `What is in ${basename(root) || root}?` });
    const tree = await readTree(root);
    reportProgress({ phase: "decision", progress: 0.2, message: planFor(tree) });

    const [map, measures] = await Promise.all([architect(tree, pace), codesmith(tree, pace)]);
    reportProgress({ progress: 0.8, message: "The numbers are there, now the verdict" });

    const review = reviewer(map, measures, tree.unreadable + measures.unreadable);
    const seconds = ((performance.now() - started) / 1_000).toFixed(1);
    reportProgress({
      phase: "result",
      progress: 1,
      message: `Reviewed ${count(review.figures.files, "file")} in ${seconds} s: ${review.verdict}`,
    });
    return review;
  });
}

function planFor({ files, skipped }: SourceTree): string {
  const modules = files.filter(isModule).length;
  const aside = skipped === 0 ? "" : ` (${skipped} binary, generated or huge ones aside)`;
  if (files.length === 0) return `There are no text files here${aside}`;
  return `${count(files.length, "file")} to measure${aside}, ${count(modules, "module")} to map, both at once`;
}
