import { basename, extname } from "node:path";

export interface Language {
  readonly name: string;
  /** What begins a comment to the end of the line. */
  readonly line?: string;
  readonly block?: readonly [open: string, close: string];
}

const C_LIKE = { line: "//", block: ["/*", "*/"] } as const;
const HASH = { line: "#" } as const;
const MARKUP = { block: ["<!--", "-->"] } as const;

const LANGUAGES: readonly (readonly [extensions: string, language: Language])[] = [
  ["ts tsx mts cts", { name: "TypeScript", ...C_LIKE }],
  ["js jsx mjs cjs", { name: "JavaScript", ...C_LIKE }],
  ["c h", { name: "C", ...C_LIKE }],
  ["cc cpp cxx hh hpp hxx", { name: "C++", ...C_LIKE }],
  ["cs", { name: "C#", ...C_LIKE }],
  ["java", { name: "Java", ...C_LIKE }],
  ["kt kts", { name: "Kotlin", ...C_LIKE }],
  ["swift", { name: "Swift", ...C_LIKE }],
  ["go", { name: "Go", ...C_LIKE }],
  ["rs", { name: "Rust", ...C_LIKE }],
  ["dart", { name: "Dart", ...C_LIKE }],
  ["scala", { name: "Scala", ...C_LIKE }],
  ["php", { name: "PHP", ...C_LIKE }],
  ["css scss less", { name: "CSS", ...C_LIKE }],
  ["py pyi", { name: "Python", ...HASH }],
  ["rb", { name: "Ruby", ...HASH }],
  ["sh bash zsh", { name: "Shell", ...HASH }],
  ["pl pm", { name: "Perl", ...HASH }],
  ["ex exs", { name: "Elixir", ...HASH }],
  ["r", { name: "R", ...HASH }],
  ["lua", { name: "Lua", line: "--" }],
  ["hs", { name: "Haskell", line: "--", block: ["{-", "-}"] }],
  ["sql", { name: "SQL", line: "--", block: ["/*", "*/"] }],
  ["html htm", { name: "HTML", ...MARKUP }],
  ["vue", { name: "Vue", ...MARKUP }],
  ["svelte", { name: "Svelte", ...MARKUP }],
];

const byExtension = new Map(
  LANGUAGES.flatMap(([extensions, language]) =>
    extensions.split(" ").map((extension) => [extension, language] as const),
  ),
);

/** The programming language of a file; `undefined` for prose, data and configuration. */
export function languageOf(path: string): Language | undefined {
  const name = basename(path).toLowerCase();
  if (name === "makefile" || name === "dockerfile") return { name: "Build script", ...HASH };
  return byExtension.get(extname(name).slice(1));
}
