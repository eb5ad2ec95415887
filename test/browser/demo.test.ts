import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createEventBus } from "session-progress";
import { createApp } from "../../examples/express/server.ts";
import { type Browser, findChromium, launchChromium } from "../support/chromium.ts";
import { cleanups } from "../support/cleanups.ts";
import { serve } from "../support/http-server.ts";
import { requireProgram } from "../support/programs.ts";

const chromium = requireProgram("chromium", findChromium());

describe.skipIf(chromium === undefined)("the page of the demo", () => {
  let browser: Browser;
  let root: string;
  const cleanUp = cleanups();

  beforeAll(async () => {
    browser = await launchChromium(chromium!);
    root = mkdtempSync(join(tmpdir(), "demo-"));
    for (let i = 0; i < 40; i++) writeFileSync(join(root, `${i}.ts`), 'import "./0.ts";\n');
    writeFileSync(join(root, "wide.ts"), `// TODO: ${"wide ".repeat(100)}\n`);
  });

  afterAll(async () => {
    await browser.close();
    rmSync(root, { recursive: true });
  });

  /** A review that takes `atLeastMs`, and a page that has started it. */
  async function setUp({
    atLeastMs,
    port,
    width = 1280,
  }: {
    atLeastMs: number;
    port?: number;
    width?: number;
  }) {
    const bus = createEventBus();
    const running = await serve(createApp(bus, root, atLeastMs), port);
    const stop = async () => {
      await bus.close();
      await running.close();
    };
    cleanUp(stop);
    const page = await browser.context.newPage();
    cleanUp(() => page.close());
    await page.setViewportSize({ width, height: 800 });
    await page.goto(running.origin);
    return { page, stop, port: running.port };
  }

  const start = (page: Page) => page.getByRole("button", { name: "Start", exact: true });
  const stop = (page: Page) => page.getByRole("button", { name: "Stop" });
  const stateIs = (page: Page, text: string) => page.locator("#state", { hasText: text }).waitFor();
  const heights = (page: Page) =>
    page.evaluate(() =>
      [...document.querySelectorAll("section:not(#verdict)")].map((one) => one.getBoundingClientRect().y),
    );

  test("a reload in the middle shows the run from its start, and goes on with it", async () => {
    const { page } = await setUp({ atLeastMs: 12_000 });
    await start(page).click();
    await page.locator("#log li").nth(4).waitFor();
    const before = await page.locator("#log li").nth(1).textContent();
    await page.reload();
    await stateIs(page, "Live");
    await page.locator("#log li").nth(4).waitFor();
    expect(await page.locator("#log li").nth(1).textContent()).toBe(before);
    const seen = await page.locator("#log li").count();
    await page.locator("#log li").nth(seen).waitFor();
  });

  test("the run can be stopped by a button, for everybody who watches", async () => {
    const { page } = await setUp({ atLeastMs: 60_000 });
    await start(page).click();
    const other = await browser.context.newPage();
    cleanUp(() => other.close());
    await stop(page).waitFor();
    await other.goto(page.url());
    await stop(other).click();
    for (const one of [page, other]) {
      await stateIs(one, "Run cancelled");
      expect(await stop(one).isVisible()).toBe(false);
      expect(await start(one).isEnabled()).toBe(true);
    }
  });

  test("a server that was restarted has forgotten the run, and the page says so", async () => {
    const first = await setUp({ atLeastMs: 60_000 });
    await start(first.page).click();
    await stateIs(first.page, "Live");
    await first.stop();
    await stateIs(first.page, "Connection lost");
    await setUp({ atLeastMs: 0, port: first.port });
    await stateIs(first.page, "The server was restarted and has forgotten this run");
    await start(first.page).click();
    await stateIs(first.page, "Run completed: changes requested");
  });

  test.each([375, 1280])("nothing moves from the start to the verdict, %i px wide", async (width) => {
    const { page } = await setUp({ atLeastMs: 1_500, width });
    const before = await heights(page);
    await start(page).click();
    await stop(page).waitFor();
    expect(await heights(page)).toEqual(before);
    await page.getByRole("heading", { name: "changes requested" }).waitFor();
    expect(await heights(page)).toEqual(before);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(width);
  });
});
