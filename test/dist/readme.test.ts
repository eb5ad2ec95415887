import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { block, blocks, fileNamedBefore, growsServer } from "../docs/blocks.ts";
import { type Browser, findChromium, launchChromium } from "../support/chromium.ts";
import { freePort } from "../support/free-port.ts";
import { type PackageRegistry, servePackages } from "../support/package-registry.ts";
import { requireProgram } from "../support/programs.ts";
import { type RunningServer, Terminal } from "../support/terminal.ts";
import { installed } from "./installed.ts";

const chromium = requireProgram("chromium", findChromium());

/** Those for an empty folder: `clone` is for a clone of this repository. */
const pasted = blocks.filter(({ file, tag }) => file === "README.md" && tag !== "clone");

describe.skipIf(chromium === undefined)("README.md, pasted in an empty folder, in its order", () => {
  let registry: PackageRegistry;
  let terminal: Terminal;
  let browser: Browser;
  let server = block("README.md", "server").code;

  beforeAll(async () => {
    registry = await servePackages([installed]);
    terminal = new Terminal({ npm_config_registry: registry.url, PORT: String(await freePort()) });
    browser = await launchChromium(chromium!);
  });

  afterAll(async () => {
    await browser.close();
    await terminal.dispose();
    await registry.close();
  });

  test.each(pasted.map((one) => [`${one.line} ${one.language} ${one.tag}`.trim(), one] as const))(
    "line %s",
    async (_, pasted) => {
      const { language, tag, code } = pasted;
      const name = fileNamedBefore(pasted);
      if (growsServer(pasted)) {
        server += code;
        save("server.mjs", server);
      } else if (language === "sh") {
        if (name !== undefined) save(name, server);
        await typed(code);
      } else if (tag === "commonjs") {
        save(name!, code + server.replaceAll(/^import .*\n/gm, ""));
        await typed(`node ${name}`);
      } else if (language === "html" || tag === "server") {
        save(name!, code);
      } else {
        const file = name ?? "pasted.mjs";
        save(file, code);
        const claims = [...code.matchAll(/\/\/ → (.*)$/gm)].map((match) => match[1]);
        const printed = await terminal.type(/\.m?ts$/.test(file) ? `npx tsx ${file}` : `node ${file}`);
        if (claims.length > 0) expect(printed).toBe(`${claims.join("\n")}\n`);
      }
    },
  );

  test("the page closes its source at a second click, and says so when a restart has forgotten the run", async () => {
    const first = (await terminal.type("node server.mjs")) as RunningServer;
    const page = await browser.context.newPage();
    await page.addInitScript(() => {
      const sources: EventSource[] = [];
      const constructed = {
        construct: (...args: [typeof EventSource, [string]]) => {
          const source = Reflect.construct<[string], EventSource>(...args);
          sources.push(source);
          return source;
        },
      };
      Object.assign(globalThis, { sources, EventSource: new Proxy(EventSource, constructed) });
    });
    await page.goto(first.address);
    const button = page.getByRole("button", { name: "Review" });
    await button.click();
    await page.getByText("reader: Read a.ts").waitFor();
    await button.click();
    const former = await page.waitForFunction(() => {
      const { sources } = globalThis as unknown as { sources: EventSource[] };
      return sources.length === 2 && { readyState: sources[0]!.readyState };
    });
    expect(await former.jsonValue()).toEqual({ readyState: 2 });
    await first.stop();
    const second = (await terminal.type("node server.mjs")) as RunningServer;
    await page.getByText("forgotten").waitFor();
    await page.close();
    await second.stop();
  });

  test("the server with all that went to its end", async () => {
    const running = (await terminal.type("node server.mjs")) as RunningServer;
    await expectReview(running.address);
    const as = (user: string) => ({ headers: { "X-Forwarded-User": user } });
    const started = await fetch(`${running.address}/answers`, { method: "POST", ...as("alice") });
    const { sessionId } = (await started.json()) as { sessionId: string };
    const mine = `${running.address}/mine?session_id=${sessionId}`;
    expect((await fetch(mine, as("bob"))).status).toBe(403);
    expect((await fetch(mine)).status).toBe(403);
    expect(await (await fetch(mine, as("alice"))).text()).toContain('"data":{"text":"42"}');
    await running.stop();
  });

  function save(name: string, text: string): void {
    writeFileSync(join(terminal.cwd, name), text);
  }

  /** Types commands; if they start the server, has a browser look at it. */
  async function typed(commands: string): Promise<void> {
    const running = await terminal.type(commands);
    if (typeof running === "string") return;
    await expectReview(running.address);
    await running.stop();
  }

  /** A click on the page shows every report, then the end, and nothing is asked for any more. */
  async function expectReview(address: string): Promise<void> {
    const page = await browser.context.newPage();
    const faults: Error[] = [];
    page.on("pageerror", (error) => faults.push(error));
    await page.goto(address);
    await page.evaluate(() => {
      const shown: (string | null)[] = [];
      const [text] = document.querySelectorAll("span");
      new MutationObserver(() => shown.push(text!.textContent)).observe(text!, { childList: true });
      Object.assign(globalThis, { shown });
    });
    await page.getByRole("button", { name: "Review" }).click();
    await page.getByText("completed").waitFor();
    expect(await page.evaluate(() => (globalThis as unknown as { shown: string[] }).shown)).toEqual([
      "reader: Read a.ts",
      "reader: Read b.ts",
      "reader: Read c.ts",
      "reader: Read d.ts",
      "completed",
    ]);
    expect(await page.locator("progress").getAttribute("value")).toBe("1");
    expect(faults).toEqual([]);
    await page.close();
  }
});
