import { reportProgress, withAgent } from "session-progress";
import type { ImportMap } from "./architect.ts";
import type { Measures } from "./codesmith.ts";
import { longestFunctionOf, type Reason, weigh } from "./criteria.ts";

export interface Review {
  readonly verdict: "approved" | "approved with remarks" | "changes requested" | "nothing to review";
  readonly reasons: readonly Reason[];
  readonly figures: {
    readonly files: number;
    readonly lines: number;
    readonly code: number;
    readonly modules: number;
    readonly imports: number;
    readonly cycles: number;
    readonly todos: number;
    readonly longestFunction: number;
    readonly unreadable: number;
  };
}

/** Decides what the numbers say. */
export function reviewer(map: ImportMap, measures: Measures, unreadable: number): Review {
  return withAgent("reviewer", () => {
    reportProgress({ phase: "think", progress: 0, message: "What do the numbers say?" });
    const reasons = weigh(map, measures, unreadable);
    for (const [index, { good, text }] of reasons.entries()) {
      const message = `${good ? "Good" : "Concern"}: ${text}`;
      reportProgress({ phase: "decision", progress: index + 1, total: reasons.length + 1, message });
    }
    const review = {
      verdict: verdictOf(measures, reasons),
      reasons,
      figures: figuresOf(map, measures, unreadable),
    };
    reportProgress({ phase: "result", progress: 1, message: `Verdict: ${review.verdict}`, data: review });
    return review;
  });
}

function verdictOf(measures: Measures, reasons: readonly Reason[]): Review["verdict"] {
  if (measures.code === 0) return "nothing to review";
  const concerns = reasons.filter(({ good }) => !good).length;
  if (concerns === 0) return "approved";
  return concerns <= 2 ? "approved with remarks" : "changes requested";
}

function figuresOf(map: ImportMap, measures: Measures, unreadable: number): Review["figures"] {
  const { files, lines, code, todos } = measures;
  return {
    files: files.length,
    lines,
    code,
    modules: map.modules,
    imports: map.edges.length,
    cycles: map.cycles.length,
    todos,
    longestFunction: longestFunctionOf(measures)?.lines ?? 0,
    unreadable,
  };
}
