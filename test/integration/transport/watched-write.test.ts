import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";

test.each(["a wrapper", "a wrapper that hides itself", "a proxy"])(
  "whoever replaced `write` on Node's prototype before the library was loaded sees every byte: %s",
  async (kind) => {
    const script = fileURLToPath(new URL("../../support/watched-process.ts", import.meta.url));
    const { stdout } = await promisify(execFile)(process.execPath, ["--import", "tsx", script, kind]);
    expect(JSON.parse(stdout)).toEqual({ blocks: 13, sawAll: true });
  },
  30_000,
);
