import { afterAll, describe, expect, it } from "vitest";
import { blocks } from "./blocks.ts";
import { Project } from "./program.ts";

const projects: Project[] = [];

afterAll(async () => {
  await Promise.all(projects.map((project) => project.dispose()));
});

/** Runs `code` as a program of its own and returns the lines that it prints. */
async function linesOf(code: string): Promise<string[]> {
  const project = new Project({ "main.ts": code });
  projects.push(project);
  const { code: exitCode, stdout, stderr } = await project.run("main.ts");
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
  return stdout.trimEnd().split("\n");
}

describe.concurrent("blocks tagged `run` print what their `// →` comments say", { timeout: 20_000 }, () => {
  for (const { file, line, tag, code } of blocks) {
    if (tag !== "run") continue;
    it(`${file}:${line}`, async () => {
      const claimed = [...code.matchAll(/\/\/ → (.*)$/gm)].map((match) => match[1]);
      const printed = await linesOf(code);
      if (claimed.length > 0) expect(printed).toEqual(claimed);
      // Without claims on output it is a test itself, of Node's own runner.
      else expect(code).toContain('from "node:test"');
    });
  }
});
