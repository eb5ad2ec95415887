import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { afterAll, beforeAll, describe } from "vitest";
import { type Follow, type Message, testClient } from "../contracts/client.ts";
import { block } from "../docs/blocks.ts";
import { type Browser, findChromium, launchChromium } from "../support/chromium.ts";
import { requireProgram } from "../support/programs.ts";

const chromium = requireProgram("chromium", findChromium());

/** Follows in a page, by code that knows of `eventsUrl`, `token` and `show`, as that of docs/clients.md does. */
function inPage(browser: () => Browser, code: string): Follow {
  return async (url, onMessage) => {
    const { outputFiles } = await build({
      stdin: { contents: code, loader: "ts", resolveDir: fileURLToPath(new URL(".", import.meta.url)) },
      bundle: true,
      write: false,
      format: "iife",
      logLevel: "silent",
    });
    const page = await browser().context.newPage();
    await page.exposeFunction("show", (event: string, data: string) => {
      onMessage({ event, data: JSON.parse(data) as Message["data"] });
    });
    await page.evaluate((eventsUrl) => Object.assign(globalThis, { eventsUrl, token: "secret" }), url);
    await page.addScriptTag({ content: outputFiles[0]!.text });
    return () => page.close();
  };
}

const LIKE_EVENT_SOURCE = `
  for (const event of ["ready", "agent", "run", "gap", "end"]) {
    source.addEventListener(event, ({ data }) => show(event, data));
  }`;

describe.skipIf(chromium === undefined)("in a browser", () => {
  let browser: Browser;

  beforeAll(async () => {
    browser = await launchChromium(chromium!);
  }, 60_000);

  afterAll(() => browser.close(), 20_000);

  const documented = (tag: string): Follow => inPage(() => browser, block("docs/clients.md", tag).code);

  testClient(
    "EventSource",
    inPage(() => browser, `const source = new EventSource(eventsUrl);${LIKE_EVENT_SOURCE}`),
    {
      lastEventId: "header",
      stopsAt204: true,
      stopsAt403: true,
    },
  );

  testClient(
    "event-source-polyfill",
    inPage(() => browser, block("docs/clients.md", "client-event-source-polyfill").code + LIKE_EVENT_SOURCE),
    { lastEventId: "query", stopsAt204: true, stopsAt403: true },
  );

  testClient(
    "@microsoft/fetch-event-source as it comes",
    inPage(
      () => browser,
      `import { fetchEventSource } from "@microsoft/fetch-event-source";
      fetchEventSource(eventsUrl, { onmessage: ({ event, data }) => data && show(event, data) });`,
    ),
    { lastEventId: "header", comesBack: false, stopsAt204: false, stopsAt403: false },
  );

  for (const name of ["fetch-event-source", "event-source-plus"]) {
    testClient(`${name} as docs/clients.md has it`, documented(`client-${name}`), {
      lastEventId: "header",
      stopsAt204: true,
      stopsAt403: true,
    });
  }
});
