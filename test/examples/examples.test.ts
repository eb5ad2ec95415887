import { readdirSync } from "node:fs";
import { join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import { beforeAll, test, vi } from "vitest";

const directory = join(import.meta.dirname, "../../examples");

/** Programs that check themselves and throw. The CommonJS one needs a build: test/dist runs it. */
const programs = ["five-approaches", "drop-in", "langgraph"]
  .flatMap((name) =>
    readdirSync(join(directory, name), { recursive: true, encoding: "utf8", withFileTypes: true }),
  )
  .filter(({ name }) => name === "check.ts" || /^\d-.*\.ts$/.test(name))
  .map((file) => join(file.parentPath, file.name))
  .filter((file) => !file.includes("commonjs"))
  .sort();

beforeAll(() => {
  vi.spyOn(console, "log").mockReturnValue(undefined);
});

test.each(programs.map((file) => [relative(directory, file), file]))(
  "%s",
  async (_name, file) => {
    await import(pathToFileURL(file).href);
  },
  30_000,
);
