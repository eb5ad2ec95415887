import { expect, test } from "vitest";
import manifest from "../../package.json" with { type: "json" };
import { read } from "./blocks.ts";

const workflow = read(".github/workflows/ci.yml");

test("the workflow runs every step of .ci/run, in its order, and nothing else", () => {
  const steps = /^steps=\((.+)\)$/m.exec(read(".ci/run"))?.[1]?.split(" ");
  const run = [...workflow.matchAll(/^ +run: (.+)$/gm)].map(([, command]) => command);
  expect(run).toEqual(steps?.map((step) => `.ci/run ${step}`));
});

test("the workflow names each step, and pins each action to a commit, with its version beside it", () => {
  expect(workflow.match(/- name: /g)).toHaveLength(workflow.match(/ run: /g)!.length);
  for (const [, action] of workflow.matchAll(/uses: (.+)$/gm)) {
    expect(action).toMatch(/^[\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
  }
});

test("`npm test` is all of it, and what is pinned in .nvmrc is what the package supports", () => {
  for (const script of ["format:check", "lint", "typecheck", "unused", "docs", "build", "check:package"]) {
    expect(manifest.scripts.test, script).toContain(`npm run ${script} `);
  }
  expect(manifest.engines.node).toContain(`^${read(".nvmrc").trim()}.`);
});

test("package.json names one repository", () => {
  const address = "https://github.com/session-progress/session-progress";
  expect(manifest.repository).toEqual({ type: "git", url: `git+${address}.git` });
  expect(manifest.homepage).toBe(`${address}#readme`);
  expect(manifest.bugs).toBe(`${address}/issues`);
  expect(manifest.author).not.toBe("");
});
