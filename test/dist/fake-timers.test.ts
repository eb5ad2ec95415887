import { describe, expect, test } from "vitest";
import { runInProject } from "./installed.ts";

/** Fake timers that are on before the package loads. */
const FAKES: Record<string, { imports: string; install: string }> = {
  "of @sinonjs/fake-timers": {
    imports: 'const { install } = require("@sinonjs/fake-timers");',
    install: "install();",
  },
  "of @sinonjs/fake-timers, setImmediate alone": {
    imports: 'const { install } = require("@sinonjs/fake-timers");',
    install: 'install({ toFake: ["setImmediate"] });',
  },
  "of Node's test runner": {
    imports: 'const { mock } = require("node:test");',
    install: "mock.timers.enable();",
  },
};

const program = ({ imports, install }: { imports: string; install: string }): string => `
  ${imports}
  setInterval(() => undefined, 1_000); // no timer of the package's keeps a process alive
  ${install}
  const { createEventBus, reportProgress } = require("session-progress");
  const { sseHandler } = require("session-progress/fetch");
  (async () => {
    const bus = createEventBus();
    const { sessionId, done } = bus.start(() => new Promise(() => {}), { unfollowedMs: 40 });
    const handler = sseHandler(bus, { keepAliveMs: 20 });
    const response = await handler(new Request("http://localhost/?session_id=" + sessionId));
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    const until = async (part) => {
      while (!text.includes(part)) text += (await reader.read()).value;
    };
    await until("ready");
    bus.publish(sessionId, { message: "delivered" });
    await until("delivered");
    await until(": keep-alive");
    await reader.cancel();
    const { status } = await done;
    await bus.close({ graceMs: 1 });
    require("node:fs").writeSync(1, JSON.stringify(status));
    process.exit();
  })();
`;

describe.each(Object.entries(FAKES))("with fake timers %s, on before the package loads", (_name, fakes) => {
  test("reports arrive, streams are kept alive, and periods pass", async () => {
    expect(await runInProject("commonjs", program(fakes), ["--no-warnings"])).toBe("cancelled");
  });
});
