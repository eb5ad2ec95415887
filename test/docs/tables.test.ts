import { existsSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import manifest from "../../package.json" with { type: "json" };
import { DEFAULT_MAX_EVENT_BYTES } from "../../src/bus/options.ts";
import { block, documents, read, ROOT, table } from "./blocks.ts";
import { defaultsIn, membersIn, membersOf, parse } from "./source.ts";

/** The names in the first column, without their backticks. */
function names(rows: readonly string[][]): string[] {
  return rows.map(([first = ""]) => first.replaceAll("`", ""));
}

function namesIn(file: string, type: string): string[] {
  return membersOf(file, type).map(({ name }) => name);
}

describe("the tables of README.md say what the source says", () => {
  const startRows = table("README.md", "option", 0);
  const busRows = table("README.md", "option", 1);
  const sseRows = table("README.md", "option", 2);

  test("names", () => {
    expect(names(table("README.md", "field"))).toEqual(namesIn("src/protocol/event.ts", "ProgressReport"));
    expect(names(startRows)).toEqual(namesIn("src/bus/run.ts", "StartOptions"));
    expect(names(busRows)).toEqual(namesIn("src/bus/options.ts", "EventBusOptions"));
    expect(names(sseRows)).toEqual(namesIn("src/transport/sse/options.ts", "SseOptions"));
    expect(names(table("README.md", "code"))).toEqual(
      namesIn("src/runtime/errors.ts", "SessionProgressErrorCode"),
    );
  });

  test("hooks and their arguments", () => {
    const claimed = table("README.md", "hook").map(([name, parameters]) => [name, parameters]);
    const real = membersOf("src/bus/hooks.ts", "BusHooks").map(({ name, parameters }) => [
      `\`${name}\``,
      `\`(${parameters.join(", ")})\``,
    ]);
    expect(claimed).toEqual(real);
    const reasons = namesIn("src/bus/hooks.ts", "DropReason").map((reason) => `\`"${reason}"\``);
    expect(table("README.md", "hook").flat().join(" ")).toContain(reasons.slice(0, -1).join(", "));
    expect(table("README.md", "hook").flat().join(" ")).toContain(` or ${reasons.at(-1)}`);
  });

  test("defaults", () => {
    const claimed = [...busRows, ...sseRows].map((row) => [
      row[0]!.replaceAll("`", "").replace("history.", ""),
      row.at(-1)!.replaceAll("`", "").replace(/ \(.*/, ""),
    ]);
    const defaults = new Map([
      ...defaultsIn("src/bus/options.ts", "checkOptions"),
      ...defaultsIn("src/transport/sse/options.ts", "checkSettings"),
    ]);
    const wordy: Record<string, string> = {
      session: "?session_id=",
      authorize: "everyone",
      backplane: "none",
      filter: "all",
      mustExist: "false",
      singleton: "none",
    };
    const real = claimed.map(([name = ""]) => [name, wordy[name] ?? shown(name, defaults.get(name))]);
    expect(claimed).toEqual(real);
  });
});

/** A default of the source as the tables write it: `256 << 20` is 268,435,456. */
function shown(name: string, source: string | undefined): string {
  if (name === "maxEventBytes") return DEFAULT_MAX_EVENT_BYTES.toLocaleString("en");
  const [, number, shift = "0"] = /^([\d_]+)(?: << (\d+))?$/.exec(source ?? "") ?? [];
  if (number !== undefined)
    return (Number(number.replaceAll("_", "")) * 2 ** Number(shift)).toLocaleString("en");
  return source === "Infinity" ? "never" : String(source);
}

test("the events of PROTOCOL.md are those of the source, field by field", () => {
  const documented = parse("events.ts", block("PROTOCOL.md", "events").code);
  for (const name of ["AgentEvent", "RunEndEvent", "SessionEndEvent", "GapEvent"]) {
    expect(membersIn(documented, name), name).toEqual(membersOf("src/protocol/event.ts", name));
  }
});

test("PROTOCOL.md has the WebSocket's close codes of the source", () => {
  const source = read("src/protocol/names.ts");
  const real = [...source.matchAll(/\[(\d{4}), "([^"]+)"\]/g)].map(([, code, reason]) => [
    code,
    `\`${reason}\``,
  ]);
  const claimed = table("PROTOCOL.md", "code").map(([code, reason]) => [code, reason]);
  expect(real.length).toBeGreaterThan(0);
  expect(claimed).toEqual(real);
});

test("every entry point of the package is named in README.md", () => {
  const entries = Object.keys(manifest.exports).filter((entry) => entry !== "./package.json");
  const readme = read("README.md");
  expect(entries.filter((entry) => !readme.includes(`session-progress${entry.slice(1)}`))).toEqual([]);
});

test("the tree in ARCHITECTURE.md is the tree of src/", () => {
  const tree = block("ARCHITECTURE.md", "tree").code.split("\n");
  const claimed = tree.flatMap((line) => /^ {2}(\S+\.ts) {2,}\S/.exec(line)?.[1] ?? []);
  const real = readdirSync(join(ROOT, "src"), { recursive: true, encoding: "utf8" });
  expect(claimed.sort()).toEqual(real.filter((path) => path.endsWith(".ts")).sort());
});

test("docs/decisions/README.md has every record, by its title", () => {
  const folder = "docs/decisions";
  const records = readdirSync(join(ROOT, folder)).filter((name) => /^\d{4}-.*\.md$/.test(name));
  const real = records.map((name) => `[${/^# (.+)$/m.exec(read(`${folder}/${name}`))?.[1]}](${name})`);
  expect(table(`${folder}/README.md`, "record").map(([link]) => link)).toEqual(real);
});

test("every decision record says what it is to say, on half a page", () => {
  for (const name of documents().filter((path) => /decisions\/\d/.test(path))) {
    const text = read(name);
    expect(
      [...text.matchAll(/^## (.+)$/gm)].map(([, heading]) => heading),
      name,
    ).toEqual(["Context", "Decision", "Measured", "Given up", "Reconsider when"]);
    expect(Number(/\d{4}/.exec(name)?.[0]), name).toBe(Number(/^# (\d+)\. /.exec(text)?.[1]));
    expect(text.split("\n").length, name).toBeLessThanOrEqual(60);
  }
});

test("links between documents lead somewhere", () => {
  const inRepository = new RegExp(
    `^${manifest.repository.url.slice("git+".length, -".git".length)}/(?:blob|tree)/main/`,
  );
  for (const file of documents()) {
    const prose = read(file).replaceAll(/^```.*?^```$/gms, "");
    const targets = [...prose.matchAll(/\]\(([^)\s]+)\)|^\[[^\]]+\]: (\S+)$/gm)];
    for (const target of targets.map((match) => match[1] ?? match[2]!)) {
      const absolute = inRepository.test(target);
      if (/^https?:/.test(target) && !absolute) continue;
      const [path = "", anchor] = target.replace(inRepository, "").split("#");
      const linked = path === "" ? file : absolute ? path : join(dirname(file), path);
      expect(existsSync(join(ROOT, linked)), `${file}: ${target}`).toBe(true);
      if (anchor !== undefined) expect(anchorsOf(linked), `${file}: ${target}`).toContain(anchor);
    }
  }
});

/** The headings of a document as GitHub links to them. */
function anchorsOf(file: string): string[] {
  return [...read(file).matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );
}
