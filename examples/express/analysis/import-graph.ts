import { posix } from "node:path";

/** Who imports whom: for each file the files it imports. */
export type ImportGraph = ReadonlyMap<string, readonly string[]>;

const EXTENSIONS = [".ts", ".tsx", ".mts", ".cts", ".d.ts", ".js", ".jsx", ".mjs", ".cjs", ".json"];

export function isRelative(specifier: string): boolean {
  return /^\.\.?(\/|$)/.test(specifier);
}

/** The file that a relative specifier means, as Node, TypeScript and bundlers would look for it. */
export function resolveImport(
  from: string,
  specifier: string,
  files: ReadonlySet<string>,
): string | undefined {
  const target = posix.join(posix.dirname(from), specifier.replace(/[?#].*$/, ""));
  const candidates = [
    target,
    // TypeScript sources import each other by the name of what they are compiled to.
    ...[".ts", ".tsx"].map((extension) => target.replace(/\.jsx?$/, extension)),
    target.replace(/\.([mc])js$/, ".$1ts"),
    ...EXTENSIONS.map((extension) => target + extension),
    ...EXTENSIONS.map((extension) => posix.join(target, `index${extension}`)),
  ];
  return candidates.find((candidate) => files.has(candidate));
}

/** One shortest loop for each group of files that reach each other: `[a, b, a]`. */
export function findCycles(graph: ImportGraph): string[][] {
  return stronglyConnected(graph).flatMap((group) => {
    const loop = shortestLoop(graph, group);
    return loop === undefined ? [] : [loop];
  });
}

/** Tarjan's algorithm. */
function stronglyConnected(graph: ImportGraph): string[][] {
  const groups: string[][] = [];
  const order = new Map<string, number>();
  const lowest = new Map<string, number>();
  const stack: string[] = [];
  const open = new Set<string>();
  const visit = (file: string): number => {
    const index = order.size;
    order.set(file, index);
    lowest.set(file, index);
    stack.push(file);
    open.add(file);
    for (const next of graph.get(file) ?? []) {
      const reached = order.has(next) ? (open.has(next) ? order.get(next)! : index) : visit(next);
      lowest.set(file, Math.min(lowest.get(file)!, reached));
    }
    if (lowest.get(file) === index) {
      const group = stack.splice(stack.indexOf(file));
      for (const member of group) open.delete(member);
      groups.push(group);
    }
    return lowest.get(file)!;
  };
  for (const file of graph.keys()) if (!order.has(file)) visit(file);
  return groups;
}

/** Breadth first, so that what a person has to read is short. */
function shortestLoop(graph: ImportGraph, group: readonly string[]): string[] | undefined {
  const start = [...group].sort()[0]!;
  const members = new Set(group);
  const cameFrom = new Map<string, string>();
  const queue = [start];
  for (const file of queue) {
    for (const next of graph.get(file) ?? []) {
      if (next === start) return pathTo(file, start, cameFrom);
      if (!members.has(next) || cameFrom.has(next)) continue;
      cameFrom.set(next, file);
      queue.push(next);
    }
  }
  return undefined;
}

function pathTo(last: string, start: string, cameFrom: ReadonlyMap<string, string>): string[] {
  const path = [start];
  for (let file: string | undefined = last; file !== undefined && file !== start; file = cameFrom.get(file)) {
    path.unshift(file);
  }
  return [start, ...path];
}
