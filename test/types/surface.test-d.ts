import type { IncomingMessage } from "node:http";
import type { Request } from "express";
import type { Context } from "hono";
import { expectTypeOf, test } from "vitest";
import {
  bindReporter,
  type BusHooks,
  createEventBus,
  createReporter,
  currentReporter,
  type DropReason,
  type EventBusOptions,
  type GapEvent,
  isSessionProgressError,
  type Outcome,
  type ProgressReport,
  type Reporter,
  reportProgress,
  type SessionEntry,
  type SessionEvent,
  SessionProgressError,
  type StartedRun,
  withAgent,
} from "session-progress";
import { sseHandler as expressHandler } from "session-progress/express";
import { sseHandler as fetchHandler } from "session-progress/fetch";
import { sseHandler as honoHandler } from "session-progress/hono";
import { sseHandler as nodeHandler } from "session-progress/node";

const bus = createEventBus();

test("every option may be undefined under exactOptionalPropertyTypes", () => {
  expectTypeOf<Required<ProgressReport>["progress"]>().toEqualTypeOf<number | undefined>();
  expectTypeOf<Required<ProgressReport>["total"]>().toEqualTypeOf<number | null | undefined>();
  expectTypeOf<{ strict: undefined; idleMs: undefined; history: undefined }>().toExtend<EventBusOptions>();
  expectTypeOf<{ history: { maxEvents: undefined } }>().toExtend<EventBusOptions>();
  bus.reporter("s", { agent: undefined, epoch: undefined });
  void bus.open({ sessionId: undefined, owner: undefined });
  bus.start(() => 1, { sessionId: undefined, owner: undefined, keepOpen: undefined, result: undefined });
  bus.subscribe("s", () => 1, { after: undefined, signal: undefined });
  bus.end("s", { status: undefined, message: undefined, data: undefined });
  void bus.close({ graceMs: undefined });
  nodeHandler(bus, { session: undefined, authorize: undefined, filter: undefined, maxStreamMs: undefined });
  // @ts-expect-error null is not undefined
  createEventBus({ strict: null });
});

test("a report is checked", () => {
  // @ts-expect-error there is no such phase
  reportProgress({ phase: "thinking" });
  // @ts-expect-error there is no such field
  reportProgress({ pct: 0.5 });
  // @ts-expect-error progress is a number
  reportProgress({ progress: "0.5" });
  // @ts-expect-error a report is an object
  reportProgress("almost done");
  expectTypeOf(reportProgress).returns.toEqualTypeOf<boolean>();
});

test("events are told apart by `t`, and read-only", () => {
  const said = (event: SessionEvent): string | number | undefined => {
    if (event.t === "agent_event") return event.msg;
    if (event.t === "gap") return event.missed;
    // @ts-expect-error an end has no agent
    if (event.agent === undefined) return undefined;
    // @ts-expect-error events are frozen
    event.status = "failed";
    return event.t === "run_end" ? event.run : event.status;
  };
  expectTypeOf(said).parameter(0).toEqualTypeOf<SessionEvent>();
});

test("hooks are typed by their name", () => {
  bus.on("event", (sessionId, entry, owner) => {
    expectTypeOf(sessionId).toEqualTypeOf<string>();
    expectTypeOf(entry).toEqualTypeOf<SessionEntry>();
    expectTypeOf(owner).toEqualTypeOf<unknown>();
  });
  bus.on("run", (_sessionId, outcome, _owner, run) => {
    expectTypeOf(outcome).toEqualTypeOf<Outcome>();
    expectTypeOf(run).toEqualTypeOf<string | undefined>();
  });
  bus.once("end", (_sessionId, outcome) => expectTypeOf(outcome).toEqualTypeOf<Outcome>());
  bus.on("run", (_sessionId, outcome, owner, run) => {
    expectTypeOf(outcome).toEqualTypeOf<Outcome>();
    expectTypeOf(owner).toBeUnknown();
    expectTypeOf(run).toEqualTypeOf<string | undefined>();
  });
  bus.on("gap", (_sessionId, gap) => expectTypeOf(gap).toEqualTypeOf<GapEvent>());
  bus.on("drop", (_sessionId, reason) => expectTypeOf(reason).toEqualTypeOf<DropReason>());
  bus.off("error", (error, sessionId) => {
    expectTypeOf(error).toEqualTypeOf<Error>();
    expectTypeOf(sessionId).toEqualTypeOf<string | undefined>();
  });
  // @ts-expect-error there is no such hook
  bus.on("progress", () => undefined);
  // @ts-expect-error a session id is a string
  bus.on("event", (sessionId: number) => sessionId);
  expectTypeOf<keyof BusHooks>().toEqualTypeOf<"event" | "run" | "end" | "gap" | "drop" | "error">();
  expectTypeOf(bus.on<"event">).returns.toEqualTypeOf<void>();
});

test("the request of a handler is the framework's", () => {
  interface WithUser extends IncomingMessage {
    user: { id: string };
  }
  nodeHandler(bus, { authorize: (req) => expectTypeOf(req).toEqualTypeOf<IncomingMessage>() });
  nodeHandler<WithUser>(bus, { authorize: (req, _id, owner) => req.user.id === owner });
  nodeHandler(bus, { authorize: async (req: WithUser) => Promise.resolve(req.user.id !== "") });
  nodeHandler(bus, {
    // @ts-expect-error a plain request has no user
    authorize: (req) => req.user !== undefined,
  });
  expressHandler(bus, {
    session: (req) => (expectTypeOf(req).toEqualTypeOf<Request>(), req.params["id"] as string),
  });
  honoHandler(bus, { session: (c) => (expectTypeOf(c).toExtend<Context>(), c.req.param("id")) });
  fetchHandler(bus, { session: (request) => new URL(request.url).hash });
  // @ts-expect-error a status alone is no verdict
  nodeHandler(bus, { authorize: () => 403 });
  nodeHandler(bus, { authorize: () => ({ status: 403, title: undefined, headers: { "X-Why": "owner" } }) });
  // @ts-expect-error only of a bus
  nodeHandler({});
  nodeHandler(bus, { filter: (event) => (expectTypeOf(event.t).toEqualTypeOf<"agent_event">(), true) });
});

test("start passes on what its function makes", () => {
  const started = bus.start(({ signal, reporter, sessionId }) => {
    expectTypeOf(signal).toEqualTypeOf<AbortSignal>();
    expectTypeOf(reporter).toEqualTypeOf<Reporter>();
    expectTypeOf(sessionId).toEqualTypeOf<string>();
  });
  expectTypeOf(started).toEqualTypeOf<StartedRun>();
  expectTypeOf(started.done).resolves.toEqualTypeOf<Outcome>();
  expectTypeOf(started.run).toEqualTypeOf<string | undefined>();
  bus.start(() => 7, { result: (value) => expectTypeOf(value).toEqualTypeOf<number>() as never });
  bus.start(async () => Promise.resolve("x"), {
    result: (value) => expectTypeOf(value).toEqualTypeOf<string>() as never,
  });
});

test("what wraps a function keeps its type", async () => {
  expectTypeOf(bus.withSession("s", () => 7)).toEqualTypeOf<number>();
  expectTypeOf(bus.open()).toEqualTypeOf<Promise<string>>();
  expectTypeOf(bus.end("s")).toEqualTypeOf<boolean>();
  expectTypeOf(withAgent("a", async () => Promise.resolve("x"))).resolves.toEqualTypeOf<string>();
  expectTypeOf(createReporter().run(() => true)).toEqualTypeOf<boolean>();
  expectTypeOf(currentReporter()).toEqualTypeOf<Reporter | undefined>();
  const bound = bindReporter((a: number, b?: string) => `${a}${b ?? ""}`);
  expectTypeOf(bound).parameters.toEqualTypeOf<[a: number, b?: string | undefined]>();
  expectTypeOf(bound).returns.toEqualTypeOf<string>();
  for await (const entry of bus.follow("s")) expectTypeOf(entry).toEqualTypeOf<SessionEntry>();
});

test("a sink is a function or an object with `event`", () => {
  createReporter((event) => expectTypeOf(event).toEqualTypeOf<SessionEvent>(), bus.sink("s"));
  createReporter({ event: () => false, end: async () => Promise.resolve(), error: () => undefined });
  // @ts-expect-error an object without `event` takes nothing
  createReporter({ end: () => undefined });
});

test("errors are told apart by a literal code", () => {
  const thrown: unknown = new SessionProgressError("closed", "");
  if (!isSessionProgressError(thrown)) return;
  expectTypeOf(thrown.code).toEqualTypeOf<"closed" | "ended" | "headers_sent">();
});
