import { describe, expect, test } from "vitest";
import { createEventBus } from "session-progress";
import { sseHandler } from "session-progress/node";
import { cleanups } from "../support/cleanups.ts";
import { EventStreamClient } from "../support/event-stream-client.ts";
import { eventually } from "../support/eventually.ts";
import { serve } from "../support/http-server.ts";

/** What a client has handed its application. */
export interface Message {
  readonly event: string;
  readonly data: Record<string, unknown>;
}

/** Follows `url` with the client under test, used as docs/clients.md says; what it returns stops it. */
export type Follow = (
  url: string,
  onMessage: (message: Message) => void,
) => (() => unknown) | Promise<() => unknown>;

/** What docs/clients.md says of it. */
export interface ClientClaims {
  /** Where it puts the last event ID. */
  readonly lastEventId: "header" | "query";
  /** Whether it comes back to a stream that ended without an end. Default `true`. */
  readonly comesBack?: boolean;
  /** Whether a 204, which answers who has seen the end, stops it for good. */
  readonly stopsAt204: boolean;
  /** Whether a refusal does. */
  readonly stopsAt403: boolean;
}

interface Asked {
  readonly header: string | undefined;
  readonly query: string | null;
  status: number;
}

/** What a client that is not ours does with our server. */
export function testClient(name: string, follow: Follow, claims: ClientClaims): void {
  const { comesBack = true } = claims;

  describe(`client: ${name}`, { timeout: 30_000 }, () => {
    const cleanUp = cleanups();

    async function setUp(allowed = true) {
      const bus = createEventBus({ history: { maxEvents: 4 } });
      const handle = sseHandler(bus, {
        retryMs: 30,
        keepAliveMs: 20,
        authorize: (_request, sessionId) => allowed || sessionId === "control",
      });
      const asked: Asked[] = [];
      const { origin, close } = await serve((req, res) => {
        const url = new URL(req.url!, "http://localhost");
        res.setHeader("Access-Control-Allow-Origin", "*");
        res.setHeader("Access-Control-Allow-Headers", "*");
        if (req.method === "OPTIONS") return void res.writeHead(204).end();
        if (url.searchParams.get("session_id") !== "control") {
          const [header] = [req.headers["last-event-id"]].flat();
          const request: Asked = { header, query: url.searchParams.get("lastEventId"), status: 0 };
          asked.push(request);
          res.on("close", () => (request.status = res.statusCode));
        }
        void handle(req, res);
      });
      cleanUp(async () => {
        await bus.close();
        await close();
      });
      const messages: Message[] = [];
      const stop = await follow(`${origin}/events?session_id=s`, (message) => messages.push(message));
      cleanUp(stop);
      const saw = (event: string, count = 1): Promise<void> =>
        eventually(`${count} ${event}`, () => messages.filter((m) => m.event === event).length >= count);
      /** Long after a client that comes back had come back: so many keep-alives of another follower later. */
      const longAfter = async (): Promise<void> => {
        const control = await EventStreamClient.open(`${origin}/events?session_id=control`);
        await control.take(50);
        control.close();
      };
      return { bus, asked, messages, saw, longAfter };
    }

    test.skipIf(comesBack)("does not come back to a stream that has ended without an end", async () => {
      const { bus, asked, saw, longAfter } = await setUp();
      await saw("ready");
      bus.disconnect("s");
      await eventually("ended", () => asked[0]!.status === 200);
      await longAfter();
      expect(asked).toHaveLength(1);
    });

    test.runIf(comesBack)("goes on where it was when its stream has ended without an end", async () => {
      const { bus, asked, messages, saw } = await setUp();
      await saw("ready");
      const { epoch } = bus.reporter("s");
      bus.publish("s", { message: "one" });
      await saw("agent");
      bus.disconnect("s");
      bus.publish("s", { message: "two" });
      await saw("agent", 2);
      expect(messages.map(({ event, data }) => data["msg"] ?? data["resume"] ?? event)).toEqual([
        "fresh",
        "one",
        "resumed",
        "two",
      ]);
      expect(asked[1]![claims.lastEventId]).toBe(`${epoch}-1`);
    });

    test.runIf(comesBack)("hands on gaps, and the end", async () => {
      const { bus, messages, saw } = await setUp();
      await saw("ready");
      for (let n = 1; n <= 9; n++) bus.publish("s", { agent: "a", message: `m${n}` });
      await saw("agent", 9);
      bus.disconnect("s");
      for (let n = 10; n <= 30; n++) bus.publish("s", { agent: "a", message: `m${n}` });
      bus.end("s");
      await saw("end");
      expect(messages.find(({ event }) => event === "gap")!.data).toMatchObject({
        t: "gap",
        reason: "behind",
      });
      expect(messages.at(-1)!.data).toMatchObject({ t: "session_end", status: "completed" });
    });

    test.runIf(comesBack)(
      claims.stopsAt204 ? "a 204 stops it for good" : "a 204 does not stop it",
      async () => {
        const { bus, asked, saw, longAfter } = await setUp();
        await saw("ready");
        bus.publish("s", {});
        bus.end("s");
        await saw("end");
        const refused = (): number => asked.filter(({ status }) => status === 204).length;
        await eventually("asked again", () => refused() >= (claims.stopsAt204 ? 1 : 3));
        if (!claims.stopsAt204) return;
        await longAfter();
        expect(refused()).toBe(1);
      },
    );

    test(claims.stopsAt403 ? "a refusal stops it for good" : "a refusal does not stop it", async () => {
      const { asked, longAfter } = await setUp(false);
      const refused = (): number => asked.filter(({ status }) => status === 403).length;
      await eventually("refused", () => refused() >= (claims.stopsAt403 ? 1 : 3));
      if (!claims.stopsAt403) return;
      await longAfter();
      expect(refused()).toBe(1);
    });
  });
}
