import express5 from "express";
import express4 from "express4";
import { describe, expect, onTestFinished, test } from "vitest";
import { bindReporter, createEventBus, reportProgress } from "session-progress";
import { describeEvent } from "../../support/events.ts";
import { readEntries } from "../../support/session-entries.ts";
import { serve } from "../../support/http-server.ts";

type Next = (error?: unknown) => void;
interface Answer {
  status(code: number): { send(text: string): void };
}

describe.each([
  ["Express 4", express4],
  ["Express 5", express5],
])("over %s", (_name, express) => {
  test("a bound error handler is called for errors, and only for them", async () => {
    const bus = createEventBus();
    const app = express();
    const { handler, middleware } = bus.reporter("s").run(() => ({
      handler: bindReporter((error: Error, _req: unknown, res: Answer, _next: Next) => {
        reportProgress({ message: error.message });
        res.status(500).send("handled");
      }),
      middleware: bindReporter((_req: unknown, _res: unknown, next: Next) => {
        reportProgress({ message: "passing" });
        next();
      }),
    }));
    app.use(middleware as never);
    app.get("/fine", (_req, res) => void res.send("fine"));
    app.get("/broken", () => {
      throw new Error("broken");
    });
    app.use(handler as never);
    const server = await serve(app);
    onTestFinished(() => server.close());
    const get = async (path: string): Promise<[number, string]> => {
      const response = await fetch(`${server.origin}${path}`);
      return [response.status, await response.text()];
    };
    expect(await get("/fine")).toEqual([200, "fine"]);
    expect(await get("/broken")).toEqual([500, "handled"]);
    expect(readEntries(bus, "s").map(describeEvent)).toEqual(["passing", "passing", "broken"]);
  });
});
