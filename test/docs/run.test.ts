import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { block, blocks } from "./blocks.ts";
import { Project } from "./program.ts";
import { SERVERS } from "./servers.ts";

const programs = Object.fromEntries(
  blocks
    .filter(({ tag }) => tag === "run")
    .map(({ file, line, code }) => [`${file.replaceAll(/\W/g, "-")}-${line}`, code]),
);
let project: Project;

beforeAll(async () => {
  project = await Project.create({
    ...programs,
    servers: SERVERS.replace("// the block", block("README.md", "servers").code),
  });
});

afterAll(() => project.dispose());

describe("blocks tagged `run` print what their `// →` comments say", () => {
  test.each(Object.entries(programs))("%s", async (name, code) => {
    const claimed = [...code.matchAll(/\/\/ → (.*)$/gm)].map((match) => match[1]);
    const printed = await project.run(name);
    if (claimed.length > 0) expect(printed).toEqual(claimed);
    // Without claims on output it is a test itself, of Node's own runner.
    else expect(code).toContain('from "node:test"');
  });
});

test("each of the other servers of README.md sends a session's end", async () => {
  expect(await project.run("servers")).toEqual([
    "node: end",
    "hono: end",
    "fetch: end",
    "fastify: end",
    "koa: end",
    "h3: end",
    "websocket: end",
  ]);
});
