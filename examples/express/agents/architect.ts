import { reportProgress, withAgent } from "session-progress";
import { findCycles, isRelative, resolveImport } from "../analysis/import-graph.ts";
import { importsOf, isModule, type ModuleImport } from "../analysis/modules.ts";
import { readText, type SourceTree } from "../source-tree.ts";
import { eachFile, type Pace } from "./each-file.ts";
import { count } from "./words.ts";

export interface ImportMap {
  /** JavaScript and TypeScript files. */
  readonly modules: number;
  /** From which file to which, each pair once. */
  readonly edges: readonly Edge[];
  /** Relative imports of files that are not there (or not looked at, as `dist`). */
  readonly unresolved: number;
  /** At run time, one loop for each group: `[a, b, a]`. */
  readonly cycles: readonly (readonly string[])[];
  readonly mostImported: readonly { readonly path: string; readonly importers: number }[];
}

interface Edge {
  readonly from: string;
  readonly to: string;
  readonly typeOnly: boolean;
}

/** Maps which file imports which. */
export function architect(tree: SourceTree, pace?: Pace): Promise<ImportMap> {
  return withAgent("architect", async () => {
    const modules = tree.files.filter(isModule);
    reportProgress({
      phase: "think",
      progress: 0,
      message:
        modules.length > 0
          ? `Which of ${count(modules.length, "module")} import which?`
          : "No JavaScript or TypeScript here, the languages whose imports I read",
    });
    const imports = await eachFile(
      modules,
      (path) => readImports(tree, path),
      (found, path) => `${path}: ${count(found.length, "import")}`,
      pace,
    );
    const map = mapImports(tree, modules, imports);
    decide(map);
    const { edges, cycles, ...figures } = map;
    reportProgress({
      phase: "result",
      progress: 1,
      message:
        modules.length > 0
          ? `${count(edges.length, "import")} between ${count(modules.length, "module")}, ${count(cycles.length, "cycle")}`
          : "Nothing to map",
      // Their number, not all of them: an event is no place for ten thousand edges.
      data: { ...figures, edges: edges.length, cycles: cycles.length },
    });
    return map;
  });
}

async function readImports(tree: SourceTree, path: string): Promise<ModuleImport[]> {
  const reading = await readText(tree, path);
  return "text" in reading ? importsOf(path, reading.text) : [];
}

function mapImports(
  tree: SourceTree,
  modules: readonly string[],
  imports: readonly (readonly ModuleImport[])[],
): ImportMap {
  const files = new Set(tree.files);
  const edges = new Map<string, Edge>();
  let unresolved = 0;
  for (const [index, from] of modules.entries()) {
    for (const { specifier, typeOnly } of imports[index] ?? []) {
      if (!isRelative(specifier)) continue;
      const to = resolveImport(from, specifier, files);
      const key = JSON.stringify([from, to]);
      if (to === undefined) unresolved += 1;
      else edges.set(key, { from, to, typeOnly: typeOnly && (edges.get(key)?.typeOnly ?? true) });
    }
  }
  const all = [...edges.values()];
  return {
    modules: modules.length,
    edges: all,
    unresolved,
    cycles: findCycles(graphOf(modules, all)),
    mostImported: mostImported(all),
  };
}

function graphOf(modules: readonly string[], edges: readonly Edge[]): Map<string, string[]> {
  const graph = new Map(modules.map((path) => [path, [] as string[]]));
  for (const { from, to, typeOnly } of edges) if (!typeOnly) graph.get(from)?.push(to);
  return graph;
}

function mostImported(edges: readonly Edge[]): ImportMap["mostImported"] {
  const importers = new Map<string, number>();
  for (const { to } of edges) importers.set(to, (importers.get(to) ?? 0) + 1);
  return [...importers]
    .map(([path, number]) => ({ path, importers: number }))
    .sort((a, b) => b.importers - a.importers)
    .slice(0, 5);
}

function decide({ cycles, mostImported: [top] }: ImportMap): void {
  if (top !== undefined) {
    reportProgress({
      phase: "decision",
      message: `Most depends on ${top.path}: ${count(top.importers, "importer")}`,
    });
  }
  for (const cycle of cycles.slice(0, 3)) {
    reportProgress({ phase: "decision", message: `A cycle: ${cycle.join(" → ")}` });
  }
}
