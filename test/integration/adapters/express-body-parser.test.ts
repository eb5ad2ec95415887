import express from "express";
import { describe, expect, test } from "vitest";
import { createEventBus } from "session-progress";
import { sseHandler as expressHandler } from "session-progress/express";
import { cleanups } from "../../support/cleanups.ts";
import { eventually } from "../../support/eventually.ts";
import { serve } from "../../support/http-server.ts";
import { RawClient } from "../../support/raw-client.ts";

const cleanUp = cleanups();

describe("behind Express with a body parser", () => {
  async function setUpExpress() {
    const bus = createEventBus();
    const app = express();
    app.use(express.json());
    const bodies: unknown[] = [];
    app.all(
      "/events",
      expressHandler(bus, {
        authorize: (req) => {
          bodies.push(req.body);
          return true;
        },
      }),
    );
    const { port, close } = await serve(app);
    cleanUp(async () => {
      await bus.close();
      await close();
    });
    return { bus, bodies, port };
  }

  test("POST is a 405", async () => {
    const { bus, port } = await setUpExpress();
    const client = await RawClient.connect(port);
    cleanUp(() => client.close());
    const headers = { "Content-Type": "application/json", "Content-Length": "2", Connection: "close" };
    client.get("/events?session_id=s", headers, "POST").send("{}");
    await client.closed;
    expect(client.received).toMatch(/^HTTP\/1.1 405 /);
    expect(bus.stats().followers).toBe(0);
  });

  test("a request whose body was read is followed until its client leaves", async () => {
    const { bus, bodies, port } = await setUpExpress();
    const client = await RawClient.connect(port);
    client
      .get("/events?session_id=s", { "Content-Type": "application/json", "Content-Length": "7" })
      .send('{"a":1}');
    await client.until("event: ready");
    bus.publish("s", { message: "one" });
    await client.until("one");
    expect(bodies).toEqual([{ a: 1 }]);
    expect(bus.stats().followers).toBe(1);
    client.close();
    await eventually("nobody follows", () => bus.stats().followers === 0);
  });
});
