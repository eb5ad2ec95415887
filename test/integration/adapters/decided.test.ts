import { IncomingMessage, ServerResponse } from "node:http";
import { Socket } from "node:net";
import { describe, expect, test } from "vitest";
import { createEventBus } from "session-progress";
import { sseHandler as expressHandler } from "session-progress/express";
import { type SseOptions, sseHandler as nodeHandler } from "session-progress/node";
import { cleanups } from "../../support/cleanups.ts";
import { deferred } from "../../support/deferred.ts";
import { EventStreamClient } from "../../support/event-stream-client.ts";
import { eventually } from "../../support/eventually.ts";
import { serve } from "../../support/http-server.ts";
import { RawClient } from "../../support/raw-client.ts";

type Handler = (req: IncomingMessage, res: ServerResponse) => Promise<void>;

const cleanUp = cleanups();

describe.each([
  ["node", nodeHandler],
  ["express", expressHandler as unknown as typeof nodeHandler],
])("what the %s handler returns settles when the answer is decided", (_, sseHandler) => {
  /** `decided` gets, for each request, whether its headers had been sent when the promise was settled. */
  async function setUp(options: SseOptions<IncomingMessage>) {
    const bus = createEventBus();
    const handle: Handler = sseHandler(bus, options);
    const decided: Promise<boolean>[] = [];
    const { port, origin, connections, close } = await serve((req, res) => {
      decided.push(handle(req, res).then(() => res.headersSent));
    });
    cleanUp(async () => {
      await bus.close();
      await close();
    });
    const follow = async (lastEventId = "") => {
      const headers = { "last-event-id": lastEventId };
      const client = await EventStreamClient.open(`${origin}/?session_id=s`, { headers });
      cleanUp(() => client.close());
      return client;
    };
    return { bus, decided, port, connections, follow };
  }

  test("at once", async () => {
    const { bus, decided, follow } = await setUp({});
    expect((await follow()).status).toBe(200);
    bus.publish("s", {});
    bus.end("s");
    expect((await follow(`${bus.reporter("s").epoch}-2`)).status).toBe(204);
    await expect(Promise.all(decided)).resolves.toEqual([true, true]);
  });

  test.each([
    ["a stream", 200, () => true],
    ["a refusal", 403, () => false],
    ["a failure", 500, () => Promise.reject(new Error("database away"))],
  ])("later: %s", async (_what, status, verdict) => {
    const asked = deferred();
    const answer = deferred<boolean>();
    const { bus, decided, follow } = await setUp({
      authorize: () => {
        asked.resolve();
        return answer.promise;
      },
    });
    bus.on("error", () => {});
    const client = follow();
    await asked.promise;
    await expect(Promise.race([decided[0], Promise.resolve("pending")])).resolves.toBe("pending");
    answer.resolve(verdict() as boolean);
    await expect(decided[0]).resolves.toBe(true);
    expect((await client).status).toBe(status);
  });

  test("also when the client leaves before", async () => {
    const asked = deferred();
    const answer = deferred<boolean>();
    const { decided, port, connections } = await setUp({
      authorize: () => {
        asked.resolve();
        return answer.promise;
      },
    });
    const client = await RawClient.connect(port);
    client.get("/?session_id=s").get("/?session_id=s");
    await asked.promise;
    client.reset();
    await eventually("the server knows", () => connections() === 0);
    answer.resolve(true);
    // The second waits for the turn of its response, which never comes.
    await expect(Promise.all(decided)).resolves.toEqual([false, false]);
    expect(decided).toHaveLength(2);
  });
});

test("a request and a response that were made up, without a socket, are followed like others", async () => {
  const bus = createEventBus();
  const req = new IncomingMessage(new Socket());
  Object.assign(req, { method: "GET", url: "/events?session_id=s" });
  const res = new ServerResponse(req);
  for (const one of [req, res]) Object.defineProperty(one, "socket", { value: undefined });
  await nodeHandler(bus)(req, res);
  expect(bus.stats().followers).toBe(1);
  bus.end("s");
  await bus.close();
});
