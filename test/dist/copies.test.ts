import type * as Fetch from "session-progress/fetch";
import type * as Hono from "session-progress/hono";
import type * as Node from "session-progress/node";
import type * as Main from "session-progress";
import type * as Testing from "session-progress/testing";
import type * as WebSockets from "session-progress/websocket";
import { describe, expect, test } from "vitest";
import { nextTurn } from "../support/event-loop.ts";
import { dataOf, EventStreamClient, eventsIn } from "../support/event-stream-client.ts";
import { serve } from "../support/http-server.ts";
import { copies, pairs } from "./installed.ts";

describe.each(pairs)("the copy %s and the copy %s", (first, second) => {
  const one = () => copies[first].load<typeof Main>("index");
  const other = () => copies[second].load<typeof Main>("index");

  test("are two copies", async () => {
    expect((await one()).createEventBus).not.toBe((await other()).createEventBus);
  });

  test("share the context: run in the one, report in the other", async () => {
    const { bindReporter, currentReporter, reportProgress, withAgent } = await other();
    const { createRecorder } = await copies[first].load<typeof Testing>("testing");
    const recorder = createRecorder();
    let bound = (_message: string): boolean => false;
    await (await one()).createReporter(recorder).run(async () => {
      await nextTurn();
      expect(reportProgress({ message: "plain" })).toBe(true);
      withAgent("inner", () => reportProgress({ message: "as an agent" }));
      withAgent("inner", () => reportProgress({ message: "explicit", agent: "explicit" }));
      withAgent("handle", () => currentReporter())?.report({ message: "by handle" });
      bound = bindReporter((message: string) => reportProgress({ message }));
    });
    expect(reportProgress({ message: "outside" })).toBe(false);
    expect(bound("bound")).toBe(true);
    expect(recorder.events.map((event) => event.t === "agent_event" && [event.agent, event.msg])).toEqual([
      ["agent", "plain"],
      ["inner", "as an agent"],
      ["explicit", "explicit"],
      ["handle", "by handle"],
      ["agent", "bound"],
    ]);
  });

  test("a listener of the one runs outside for the other too", async () => {
    const bus = (await one()).createEventBus();
    const { reportProgress } = await other();
    const answers: boolean[] = [];
    bus.subscribe("s", () => answers.push(reportProgress({ message: "by mistake" })));
    bus.withSession("s", () => reportProgress({ message: "hello" }));
    expect(answers).toEqual([false]);
    await bus.close();
  });

  test("a bus of the one is a sink for the other's reporter", async () => {
    const bus = (await one()).createEventBus();
    const { createReporter } = await other();
    const messages: unknown[] = [];
    bus.subscribe("s", ({ event }) => messages.push("msg" in event ? event.msg : event.t));
    const reporter = createReporter(bus.sink("s"));
    expect(reporter.sessionId).toBe("s");
    reporter.report({ message: "across" });
    await reporter.end({ status: "completed", message: "over" });
    expect(messages).toEqual(["across", "over"]);
    await bus.close();
  });

  test("a bus of the one serves event streams through the other's handler", async () => {
    const { createEventBus, reportProgress } = await one();
    const { sseHandler } = await copies[second].load<typeof Node>("node");
    const bus = createEventBus();
    const asked: unknown[] = [];
    const handler = sseHandler(bus, {
      authorize: (_req, _id, owner) => asked.push(owner) > 0,
      filter: (event) => event.agent !== "secret",
    });
    const server = await serve(handler);
    let finish = (): void => {};
    const { sessionId, done } = bus.start(
      async () => {
        reportProgress({ message: "before" });
        await new Promise<void>((resolve) => (finish = resolve));
        reportProgress({ message: "hidden", agent: "secret" });
        reportProgress({ message: "after", data: { n: 1 } });
      },
      { owner: "me" },
    );
    const url = `${server.origin}/?session_id=${sessionId}`;
    const client = await EventStreamClient.open(url);
    await client.until("agent");
    finish();
    await done;
    const rest = await client.rest();
    expect(asked).toEqual(["me"]);
    expect(eventsIn(rest)).toMatchObject([{ msg: "after", data: { n: 1 } }, { t: "session_end" }]);

    const resumed = await EventStreamClient.open(url, { headers: { "last-event-id": rest[0]!.id! } });
    const [ready, end] = (await resumed.rest()).filter(({ event }) => event !== undefined);
    expect([dataOf(ready)["resume"], dataOf(end)["status"]]).toEqual(["resumed", "completed"]);
    const over = await EventStreamClient.open(url, { headers: { "last-event-id": end!.id! } });
    expect(over.status).toBe(204);
    await bus.close();
    await server.close();
  });

  test("share the one bus of a name: started in the one, followed in the other", async () => {
    const bus = (await one()).createEventBus({ singleton: "app" });
    const { createEventBus } = await other();
    expect(createEventBus({ singleton: "app" })).toBe(bus);
    const { sseHandler } = await copies[second].load<typeof Fetch>("fetch");
    const { sessionId, done } = bus.start(() => "the work");
    await done;
    const handle = sseHandler(createEventBus({ singleton: "app" }), { mustExist: true });
    const response = await handle(new Request(`http://localhost/?session_id=${sessionId}`));
    expect(await response.text()).toContain('"status":"completed"');
    await bus.close();
    expect(createEventBus({ singleton: "app" })).not.toBe(bus);
    await createEventBus({ singleton: "app" }).close();
  });

  test("a bus of the one goes through the other's fetch and Hono handlers", async () => {
    const bus = (await one()).createEventBus();
    bus.publish("s", { message: "hello" });
    bus.end("s");
    const { sseHandler } = await copies[second].load<typeof Fetch>("fetch");
    const response = await sseHandler(bus)(new Request("http://localhost/?session_id=s"));
    expect(await response.text()).toContain('"msg":"hello"');
    const hono = await copies[second].load<typeof Hono>("hono");
    expect(() => hono.sseHandler(bus)).not.toThrow();
    await bus.close();
  });

  test("a bus of the one is followed over the other's WebSocket", async () => {
    const bus = (await one()).createEventBus();
    const { followOverWebSocket } = await copies[second].load<typeof WebSockets>("websocket");
    const sent: unknown[] = [];
    const closed: unknown[] = [];
    const socket = {
      send: (message: string) => sent.push(JSON.parse(message)),
      close: (code?: number) => closed.push(code),
    };
    followOverWebSocket(bus, "s", socket);
    bus.publish("s", { message: "hello" });
    bus.end("s");
    await bus.flush();
    expect(sent).toMatchObject([
      { event: { t: "ready" } },
      { event: { msg: "hello" } },
      { event: { t: "session_end" } },
    ]);
    expect(closed).toEqual([1000]);
    await bus.close();
  });

  test("know each other's errors", async () => {
    const { createEventBus, SessionProgressError } = await one();
    const { isSessionProgressError, SessionProgressError: OtherError } = await other();
    const bus = createEventBus();
    let reason: unknown;
    const { sessionId, done } = bus.start(({ signal }) => {
      signal.addEventListener("abort", () => (reason = signal.reason));
      return new Promise(() => {});
    });
    bus.end(sessionId, { status: "cancelled" });
    expect(await done).toMatchObject({ status: "cancelled" });
    expect(reason).toBeInstanceOf(SessionProgressError);
    expect(reason).not.toBeInstanceOf(OtherError);
    expect(isSessionProgressError(reason) && reason.code).toBe("ended");
    await bus.close();
    try {
      bus.start(() => {});
      expect.unreachable();
    } catch (error) {
      expect(isSessionProgressError(error) && error.code).toBe("closed");
    }
  });
});

test("a library that depends on neither reports through the slot on globalThis", async () => {
  const slots = globalThis as unknown as Record<symbol, { getStore(): unknown } | undefined>;
  const report = (message: string): unknown => {
    const store = slots[Symbol.for("session-progress/context/v1")]?.getStore() as
      { reporter: { report(report: object): boolean } } | undefined;
    return store?.reporter.report({ message });
  };
  for (const copy of Object.values(copies)) {
    const { createReporter } = await copy.load<typeof Main>("index");
    const messages: unknown[] = [];
    const reporter = createReporter((event) => messages.push("msg" in event && event.msg));
    expect(reporter.run(() => report("through the slot"))).toBe(true);
    expect(messages).toEqual(["through the slot"]);
  }
  expect(report("outside")).toBeUndefined();
});
