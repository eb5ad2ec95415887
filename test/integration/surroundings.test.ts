import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

// What cannot be undone in the process of the tests: frozen globals, and an end of the process itself.

async function run(script: string, ...args: string[]): Promise<{ code: unknown; printed: string }> {
  const path = fileURLToPath(new URL(`../support/${script}`, import.meta.url));
  const child = spawn(process.execPath, ["--import", "tsx", path, ...args], {
    env: { ...process.env, NODE_OPTIONS: "" },
    stdio: ["ignore", "pipe", "ignore"],
  });
  let printed = "";
  child.stdout.on("data", (text: Buffer) => (printed += text.toString()));
  const [code] = await once(child, "close");
  return { code, printed };
}

test("where globals are frozen, the context works all the same", async () => {
  expect(await run("frozen-globals-process.ts")).toEqual({
    code: 0,
    printed: "reporter.run withAgent bindReporter currentReporter createReporter start session_end\n",
  });
});

describe("calls at the stack's end do not end the process", () => {
  test.each([
    ["publish", "boolean"],
    ["report", "boolean"],
    ["sink", "boolean"],
    ["end", "boolean"],
    ["subscribe", "function"],
    ["follow", "object"],
    ["start", "object"],
  ])("%s", async (name, type) => {
    expect(await run("full-stack-process.ts", name)).toEqual({ code: 0, printed: `${type}\n` });
  });
});
