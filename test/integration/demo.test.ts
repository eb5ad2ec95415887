import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { text } from "node:stream/consumers";
import { createParser } from "eventsource-parser";
import { createEventBus, type SessionEntry, type SessionEventBus } from "session-progress";
import { checkProgress, recordSession } from "session-progress/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { architect } from "../../examples/express/agents/architect.ts";
import { eachFile } from "../../examples/express/agents/each-file.ts";
import type { Review } from "../../examples/express/agents/reviewer.ts";
import { supervisor } from "../../examples/express/agents/supervisor.ts";
import { closingLine } from "../../examples/express/follow-once.ts";
import { createApp } from "../../examples/express/server.ts";
import { readText, readTree } from "../../examples/express/source-tree.ts";
import { type RunningServer, serve } from "../support/http-server.ts";

const repository = resolve(import.meta.dirname, "../..");
const tsx = join(repository, "node_modules/tsx/dist/cli.mjs");

const FIXTURE: Record<string, string> = {
  // A circle at run time: a → b → c → a, by three ways of writing a specifier.
  "src/a.ts": 'import { b } from "./b.ts";\n\n// TODO: one\nexport const a = () => {\n  return b;\n};\n',
  "src/b.ts":
    'export * from "./c.js";\nimport type { Shape } from "./types.js";\nexport const b = 1 as Shape;\n',
  "src/c.ts": 'const later = () => import("./a");\n/* two\n   lines */\nexport default later;\n',
  // A circle of types only is none: the compiler erases it.
  "src/types.ts": 'import type { b } from "./b.ts";\nexport type Shape = typeof b | number;\n',
  "src/old.cjs": 'const lib = require("./lib");\nconst fs = require("fs");\nmodule.exports = { lib, fs };\n',
  "src/lib/index.js": "module.exports = 1;\n",
  "src/text.js": "const s = 'import \"./a.ts\"'; // import \"./b.ts\"\nconst t = `require('./c')`;\n",
  "src/broken.ts": 'import "./nowhere.js";\n',
  "test/a.test.ts": 'import { a } from "../src/a.ts";\na();\n',
  "tool.py": "# a comment\ndef f():\n    return 1  # FIXME: no\n",
  "README.md": "# Fixture\n\nTODO: is prose, not a comment in code.",
  "data.bin2": "no\0text",
  "logo.png": "\0",
  "node_modules/x/index.js": 'require("./y");\n',
  "empty.txt": "",
};
const EDGES = [
  ["src/a.ts", "src/b.ts", false],
  ["src/b.ts", "src/c.ts", false],
  ["src/b.ts", "src/types.ts", true],
  ["src/c.ts", "src/a.ts", false],
  ["src/old.cjs", "src/lib/index.js", false],
  ["src/types.ts", "src/b.ts", true],
  ["test/a.test.ts", "src/a.ts", false],
];

let fixture: string;
let bus: SessionEventBus;
let server: RunningServer;

beforeAll(async () => {
  fixture = await makeTree(FIXTURE);
  await symlink("..", join(fixture, "src/up"));
  await symlink("nowhere", join(fixture, "src/dangling.ts"));
  bus = createEventBus({ strict: true });
  server = await serve(createApp(bus, fixture));
});

afterAll(async () => {
  await bus.close();
  await server.close();
  await rm(fixture, { recursive: true });
});

describe("what the agents find, over HTTP", () => {
  let entries: SessionEntry[];

  beforeAll(async () => {
    entries = await review();
  });

  test("every id follows the one before, no bar falls, and the end comes last", () => {
    expect(entries.map(({ id }) => Number(id.split("-")[1]))).toEqual(entries.map((_, index) => index + 1));
    expect(checkProgress(entries)).toEqual([]);
    expect(entries.at(-1)?.event).toMatchObject({ t: "session_end", status: "completed" });
  });

  test("each of the four agents gives its result, and all four phases are there", () => {
    const agentEvents = entries.flatMap(({ event }) => (event.t === "agent_event" ? event : []));
    const results = agentEvents.filter(({ phase }) => phase === "result").map(({ agent }) => agent);
    expect(results.sort()).toEqual(["architect", "codesmith", "reviewer", "supervisor"]);
    expect(new Set(agentEvents.map(({ phase }) => phase))).toEqual(
      new Set(["think", "progress", "decision", "result"]),
    );
  });

  test("architect: edges, the circle, the most imported", () => {
    expect(resultOf(entries, "architect")).toEqual({
      modules: 9,
      edges: EDGES.length,
      unresolved: 1,
      cycles: 1,
      mostImported: expect.arrayContaining([
        { path: "src/a.ts", importers: 2 },
        { path: "src/b.ts", importers: 2 },
      ]),
    });
    const messages = entries.map(({ event }) => ("msg" in event ? event.msg : ""));
    expect(messages).toContain("A cycle: src/a.ts → src/b.ts → src/c.ts → src/a.ts");
  });

  test("codesmith: files, lines, code, TODOs", () => {
    expect(resultOf(entries, "codesmith")).toEqual({
      files: 12,
      binary: 1,
      unreadable: 0,
      lines: 30,
      code: 22,
      todos: 2,
      languages: { TypeScript: 14, JavaScript: 6, Python: 2 },
    });
  });

  test("reviewer: a verdict with its reasons, which is also the data of the end", () => {
    const verdict = resultOf(entries, "reviewer") as Review;
    expect(verdict).toMatchObject({
      verdict: "approved with remarks",
      figures: { files: 12, lines: 30, modules: 9, imports: 7, cycles: 1, todos: 2, longestFunction: 3 },
    });
    expect(verdict.reasons).toContainEqual({
      good: true,
      text: "the longest function, a (src/a.ts:4), has 3 lines",
    });
    expect(entries.at(-1)?.event).toMatchObject({ data: verdict });
  });

  test("two runs at once do not mix", async () => {
    const [one, other] = await Promise.all([review(), review()]);
    const agentsOf = (run: SessionEntry[]) => run.map(({ event }) => "agent" in event && event.agent).sort();
    expect(agentsOf(one)).toEqual(agentsOf(other));
    expect(one[0]?.id).not.toBe(other[0]?.id);
  });

  test("GET / is the page", async () => {
    const page = await fetch(server.origin);
    expect(page.headers.get("content-type")).toContain("text/html");
    expect(await page.text()).toContain("new EventSource(");
  });
});

describe("--once accepts a whole run only", () => {
  const agents = ["supervisor", "architect", "codesmith", "reviewer"];
  const whole = agents.map((agent) => ({ t: "agent_event", agent, phase: "result", msg: "", pct: 1 }));
  const end = { t: "session_end", status: "completed", data: { verdict: "approved" } };
  const gap = { t: "gap", reason: "behind", missed: 3 };
  const close = (events: object[], position = (index: number) => index + 1) =>
    closingLine(events.map((event, index) => ({ id: `7-${position(index)}`, event }) as SessionEntry));

  test("nothing is missing", () => {
    expect(close([...whole, end])).toBe(
      "ok: 5 events from 4 agents, ids 1 to 5 without a hole; verdict: approved",
    );
  });

  test.each<[string, object[]]>([
    ["3 events were missed", [...whole, gap, end]],
    ["codesmith never reported", [...whole.filter(({ agent }) => agent !== "codesmith"), end]],
    ["architect gave no result", [...whole.with(1, { ...whole[1]!, phase: "progress" }), end]],
    ["reviewer fell from 1 to 0.5", [...whole, { ...whole[3]!, pct: 0.5 }, end]],
    ["the run ended as failed", [...whole, { ...end, status: "failed" }]],
    ["there is no verdict", [...whole, { ...end, data: {} }]],
    ["the stream stopped before the end", whole],
    ["the stream stopped before the end", []],
  ])("%s", (complaint, events) => {
    expect(() => close(events)).toThrow(complaint);
  });

  test("an id is left out", () => {
    expect(() => close([...whole, end], (index) => index + 2)).toThrow("expected id 7-1, got 7-2");
  });
});

describe("the agents without a server", () => {
  test("exactly these files import exactly those", async () => {
    const { value, outcome } = await recordSession(async () => architect(await readTree(fixture)));
    expect(outcome.status).toBe("completed");
    expect(value?.edges.map(({ from, to, typeOnly }) => [from, to, typeOnly]).sort()).toEqual(EDGES);
    expect(value?.cycles).toEqual([["src/a.ts", "src/b.ts", "src/c.ts", "src/a.ts"]]);
  });

  test("ten thousand files make twenty events, up to 100%", async () => {
    const files = Array.from({ length: 10_000 }, (_, index) => `${index}.ts`);
    const { events, value } = await recordSession(() =>
      eachFile(
        files,
        (path) => Promise.resolve(path),
        (path) => path,
      ),
    );
    expect(value).toEqual(files);
    expect(events).toHaveLength(20);
    expect(events.at(-1)).toMatchObject({ pct: 1, progress: 10_000, total: 10_000 });
  });

  test("another language: nothing to map, but measured and judged", async () => {
    const python = await makeTree({ "a.py": `print(1)\n${"#".repeat(200)}\n`, "test_a.py": "import a\n" });
    const { value, messages } = await recordSession(() => supervisor(python));
    expect(messages).toContain("Nothing to map");
    expect(value?.figures).toMatchObject({ files: 2, lines: 3, code: 2, modules: 0, imports: 0 });
    expect(value?.reasons).toContainEqual({
      good: false,
      text: "the longest line (a.py) has 200 characters",
    });
    await rm(python, { recursive: true });
  });

  test("a file that went away is unreadable, not an error", async () => {
    expect(await readText(await readTree(fixture), "gone.ts")).toEqual({ problem: "unreadable" });
  });
});

describe("npm run demo", () => {
  test("--once follows a run to its end and exits 0", async () => {
    const { code, out } = await demo(["--once", fixture]);
    expect(code).toBe(0);
    expect(out.trimEnd().split("\n").at(-1)).toMatch(
      /^ok: \d+ events from 4 agents, ids 1 to \d+ without a hole; verdict: approved with remarks$/,
    );
  });

  test(
    "--once of an empty tree: nothing to review, and that is no failure",
    { timeout: 60_000 },
    async () => {
      const empty = await makeTree({});
      const { code, out } = await demo(["--once", empty]);
      expect(code).toBe(0);
      expect(out.trimEnd()).toMatch(/verdict: nothing to review$/);
      await rm(empty, { recursive: true });
    },
  );

  test("a PATH that is not there", async () => {
    const path = join(fixture, "nowhere");
    const { code, err } = await demo(["--once", path]);
    expect(code).toBe(1);
    expect(err.trim()).toBe(`demo: there is no directory ${path}`);
  });

  test("a port in use", async () => {
    const { code, err } = await demo([fixture], { PORT: String(server.port) });
    expect(code).toBe(1);
    expect(err.trim()).toMatch(/^demo: port \d+ is in use; try PORT=\d+ npm run demo$/);
  });

  test.skipIf(process.platform === "win32")(
    "SIGTERM: exits 0 with a follower there",
    { timeout: 60_000 },
    async () => {
      // Without tsx's own process between: that one kills a child which is busy for 30 ms when the signal comes.
      const child = start(["--import", "tsx"], [fixture], { PORT: "0" });
      let out = "";
      for await (const chunk of child.stdout) if ((out += String(chunk)).includes("curl")) break;
      const address = /http:\S+/.exec(out)![0];
      const stream = await fetch(`${address}/events?session_id=idle`);
      const exited = once(child, "exit");
      child.kill("SIGTERM");
      expect(await exited).toEqual([0, null]);
      expect(await stream.text()).not.toContain("event: end");
    },
  );
});

async function makeTree(files: Record<string, string>): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), "demo-"));
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), content);
  }
  return root;
}

/** Starts a run and hands back all that a follower saw of it. */
async function review(): Promise<SessionEntry[]> {
  const started = await fetch(`${server.origin}/runs`, { method: "POST" });
  expect(started.status).toBe(202);
  const { sessionId } = await started.json();
  const stream = await fetch(`${server.origin}/events?session_id=${sessionId}`);
  const entries: SessionEntry[] = [];
  const parser = createParser({
    onEvent: ({ id = "", event, data }) => {
      if (event !== "ready") entries.push({ id, event: JSON.parse(data) });
    },
  });
  parser.feed(await stream.text());
  return entries;
}

function resultOf(entries: readonly SessionEntry[], agent: string): unknown {
  const found = entries.find(
    ({ event }) => event.t === "agent_event" && event.agent === agent && event.phase === "result",
  );
  return found?.event.t === "agent_event" ? found.event.data : undefined;
}

function start(loader: string[], args: string[], env: Record<string, string> = {}) {
  return spawn(process.execPath, [...loader, "examples/express/main.ts", ...args], {
    cwd: repository,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
}

async function demo(args: string[], env?: Record<string, string>) {
  const child = start([tsx], args, env);
  const [[code], out, err] = await Promise.all([once(child, "exit"), text(child.stdout), text(child.stderr)]);
  return { code: code as number | null, out, err };
}
