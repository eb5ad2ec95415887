import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { round } from "./stats.mjs";

const results = new URL("../results/", import.meta.url);

/** A Markdown table of `rows`: objects with the same keys. */
export function table(rows) {
  const columns = Object.keys(rows[0]);
  const lines = rows.map((row) => columns.map((column) => cell(row[column])));
  const rule = columns.map((column) => (typeof rows.at(-1)[column] === "string" ? "---" : "--:"));
  return [columns, rule, ...lines].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

function cell(value) {
  if (value === undefined) return "";
  return typeof value === "number" ? round(value).toLocaleString("en-US") : value;
}

/** One line a target: information, never an assertion. */
function targetLine({ what, limit, atLeast, unit, measured, stretch }) {
  const met = atLeast ? measured >= limit : measured <= limit;
  const sign = atLeast ? "≥" : "≤";
  const further = stretch === undefined ? "" : ` (stretch ${sign} ${stretch}${unit})`;
  return `- ${what}: ${sign} ${limit}${unit}${further}: measured **${round(measured)}${unit}**${met ? "" : " (missed)"}`;
}

/**
 * Markdown of what a scenario found: `note` is a paragraph or several. Without the targets where the sizes were
 * too small to tell.
 */
export function markdown({ title, note, rows, targets }, { quick = false } = {}) {
  const parts = [`## ${title}`, note, table(rows), !quick && targets.map(targetLine).join("\n")];
  return `${parts.flat().filter(Boolean).join("\n\n")}\n`;
}

/** Writes a scenario's result and the page of all results. */
export function save(name, result) {
  mkdirSync(results, { recursive: true });
  const machine = { node: process.version, cores: availableParallelism(), date: new Date().toISOString() };
  writeFileSync(
    new URL(`${name}.json`, results),
    `${JSON.stringify({ name, ...machine, ...result }, null, 1)}\n`,
  );
  const all = readdirSync(results)
    .filter((file) => file.endsWith(".json"))
    .map((file) => JSON.parse(readFileSync(new URL(file, results), "utf8")))
    .sort((a, b) => a.order - b.order);
  const pages = all.map((one) => {
    const day = one.date.slice(0, 10);
    return `${markdown(one)}\n<sub>${day}, Node ${one.node}, ${one.cores} cores, ${one.rounds} rounds</sub>\n`;
  });
  writeFileSync(
    new URL("README.md", results),
    `# Results\n\nWritten by \`npm run bench\`. Ratios are comparable between machines, absolute figures are not.\n\n${pages.join("\n")}`,
  );
}
