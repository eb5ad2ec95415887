import { IncomingMessage, ServerResponse } from "node:http";
import { Socket } from "node:net";
import { expect, test } from "vitest";
import { createEventBus } from "session-progress";
import { sseHandler } from "session-progress/node";
import { testEventStream } from "../../contracts/event-stream.ts";
import { serve } from "../../support/http-server.ts";

testEventStream("node:http", async (bus, options, before) => {
  const handle = sseHandler(bus, options);
  const { origin, server, close } = await serve((req, res) => {
    for (const [name, value] of Object.entries(before)) res.setHeader(name, value);
    void handle(req, res);
  });
  return { url: `${origin}/events`, server, close };
});

test("a request and a response that were made up, without a socket, are followed like others", async () => {
  const bus = createEventBus();
  const req = new IncomingMessage(new Socket());
  Object.assign(req, { method: "GET", url: "/events?session_id=s" });
  const res = new ServerResponse(req);
  for (const one of [req, res]) Object.defineProperty(one, "socket", { value: undefined });
  await sseHandler(bus)(req, res);
  expect(bus.stats().followers).toBe(1);
  bus.end("s");
  await bus.close();
});
