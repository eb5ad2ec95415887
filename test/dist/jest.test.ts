import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { cachedPackages } from "../support/cached-packages.ts";
import { entries, installed, specifierOf } from "./installed.ts";

const jest = cachedPackages("jest", { jest: "30.5.2", "jest-environment-jsdom": "30.5.2" });

/** What a test of somebody's app would do, in the words of Jest. */
const SUITE = `
test.each(${JSON.stringify(entries.map(specifierOf))})("loads %s", (specifier) => {
  expect(Object.keys(require(specifier)).length).toBeGreaterThan(0);
});

test("delivers what is reported, and closes", async () => {
  const { createEventBus, reportProgress } = require("session-progress");
  const { followOverWebSocket } = require("session-progress/websocket");
  const bus = createEventBus();
  const sent = [];
  const { sessionId, done } = bus.start(async () => {
    await null;
    expect(reportProgress({ message: "Ärger", data: { list: [1] } })).toBe(true);
  });
  const over = new Promise((resolve) => {
    followOverWebSocket(bus, sessionId, { send: (text) => sent.push(JSON.parse(text).event), close: resolve });
  });
  const followed = [];
  for await (const { event } of bus.follow(sessionId)) followed.push(event.t);
  await over;
  expect(followed).toEqual(["agent_event", "session_end"]);
  expect(sent).toMatchObject([{ t: "ready" }, { msg: "Ärger", data: { list: [1] } }, { status: "completed" }]);
  expect(await done).toMatchObject({ status: "completed" });
  await bus.close();
});

test("cancels a run that nobody follows", async () => {
  const { createEventBus } = require("session-progress");
  const bus = createEventBus();
  const { done } = bus.start(() => new Promise(() => {}), { unfollowedMs: 20 });
  expect(await done).toEqual({ status: "cancelled" });
  await bus.close();
});
`;

/** With real timers, with fake ones from before the package loads, and with those of old. */
const PROJECTS = ["jsdom", "node"].flatMap((testEnvironment) =>
  [undefined, { enableGlobally: true }, { enableGlobally: true, legacyFakeTimers: true }].map(
    (fakeTimers) => ({
      displayName: `${testEnvironment} ${JSON.stringify(fakeTimers ?? {})}`,
      testEnvironment,
      ...(fakeTimers && { fakeTimers }),
    }),
  ),
);

describe.skipIf(jest === undefined)("in real Jest", () => {
  const directory = mkdtempSync(join(tmpdir(), "in-jest-"));
  afterAll(() => {
    rmSync(directory, { recursive: true, force: true });
  });

  test(
    "every entry loads, and reports arrive: jsdom or Node, whatever timers are on",
    { timeout: 120_000 },
    () => {
      const modules = join(directory, "node_modules");
      mkdirSync(modules);
      for (const name of ["jest-environment-jsdom", "jest-environment-node"]) {
        symlinkSync(join(jest!, "node_modules", name), join(modules, name), "junction");
      }
      cpSync(installed, join(modules, "session-progress"), { recursive: true });
      writeFileSync(join(directory, "package.json"), "{}");
      writeFileSync(join(directory, "app.test.js"), SUITE);
      const projects = PROJECTS.map((project) => ({ ...project, rootDir: directory }));
      writeFileSync(join(directory, "jest.config.json"), JSON.stringify({ projects }));
      const { status, stderr } = spawnSync(
        process.execPath,
        [join(jest!, "node_modules/jest/bin/jest.js"), "--ci", "--runInBand"],
        { cwd: directory, encoding: "utf8", env: { ...process.env, NODE_OPTIONS: "" } },
      );
      expect(stderr).toContain(`Tests:       ${PROJECTS.length * (entries.length + 2)} passed`);
      expect(status).toBe(0);
    },
  );
});
