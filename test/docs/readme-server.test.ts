import vm from "node:vm";
import { EventSource } from "eventsource";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { freePort } from "../support/free-port.ts";
import { block } from "./blocks.ts";
import { Project } from "./program.ts";

describe("the server and the page of README.md", () => {
  const page = block("README.md", "page").code;
  let project: Project;
  let origin: string;

  beforeAll(async () => {
    const port = await freePort();
    origin = `http://127.0.0.1:${port}`;
    project = await Project.create({ server: block("README.md", "server").code }, { "page.html": page });
    project.start("server", { PORT: String(port) });
    await vi.waitFor(() => fetch(origin), { timeout: 50_000 });
  });

  afterAll(() => project.dispose());

  test("serves that page", async () => {
    expect(await (await fetch(origin)).text()).toBe(page);
  });

  test("a click shows every report, then the end, and the page asks no more", async () => {
    const { click, bar, text, sources } = open(page, origin);
    await click();
    await vi.waitFor(() => expect(text.shown.at(-1)).toBe("completed"), { timeout: 50_000 });
    expect(bar.shown).toEqual([0.25, 0.5, 0.75, 1]);
    expect(text.shown).toEqual([
      "reader: Read a.ts",
      "reader: Read b.ts",
      "reader: Read c.ts",
      "reader: Read d.ts",
      "completed",
    ]);
    expect(sources.map(({ readyState }) => readyState)).toEqual([EventSource.CLOSED]);
  });

  test("`onmessage` sees nothing", async () => {
    const { sessionId } = (await (await fetch(`${origin}/runs`, { method: "POST" })).json()) as {
      sessionId: string;
    };
    const source = new EventSource(`${origin}/events?session_id=${sessionId}`);
    let messages = 0;
    source.onmessage = () => messages++;
    await new Promise((resolve) => source.addEventListener("end", resolve));
    source.close();
    expect(messages).toBe(0);
  });
});

/** Opens `page` as a browser would: its script, run with just the objects it asks for. */
function open(page: string, origin: string) {
  const button: { onclick?: () => Promise<void> } = {};
  const bar = recorded("value");
  const text = recorded("textContent");
  const sources: EventSource[] = [];
  class PageEventSource extends EventSource {
    constructor(path: string) {
      super(new URL(path, origin));
      sources.push(this);
    }
  }
  const script = /<script type="module">(.*)<\/script>/s.exec(page)![1]!;
  vm.runInNewContext(script, {
    document: {
      querySelectorAll(selectors: string) {
        for (const name of selectors.split(", ")) expect(page).toContain(`<${name}`);
        return [button, bar.element, text.element];
      },
    },
    fetch: (path: string, init: RequestInit) => fetch(new URL(path, origin), init),
    EventSource: PageEventSource,
  });
  return { click: () => button.onclick!(), bar, text, sources };
}

/** An element that keeps everything it was made to show. */
function recorded(property: string) {
  const shown: unknown[] = [];
  const element = Object.defineProperty({}, property, { set: (value) => shown.push(value) });
  return { element, shown };
}
