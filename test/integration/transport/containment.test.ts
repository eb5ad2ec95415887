import type { ServerResponse } from "node:http";
import { setImmediate as turn } from "node:timers/promises";
import { beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { createEventBus, type SessionEventBus } from "session-progress";
import { sseHandler as nodeHandler } from "session-progress/node";
import { followOverWebSocket, type WebSocketLike } from "session-progress/websocket";
import { eventually } from "../../support/eventually.ts";
import { expectAllTold, followInEveryWay } from "../../support/every-follower.ts";
import { untyped } from "../../support/untyped.ts";
import { FILTERED, serveSession } from "../../support/filtered-followers.ts";
import { THROWERS } from "../../support/hostile-values.ts";

// What stands between a session and one of its followers may throw: a filter, a socket, a response that
// somebody has wrapped. Its session and every other one still deliver everything, and end.

type Boom = () => never;

beforeEach(() => {
  vi.spyOn(process, "emitWarning").mockReturnValue(undefined);
});

/** Reports to `s` and `other`, over several turns and in one long one, and ends both. */
async function expectDelivery(attach: (bus: SessionEventBus) => unknown): Promise<unknown[]> {
  const bus = createEventBus({ history: { maxEvents: 20 } });
  const faults: unknown[] = [];
  bus.on("error", (error) => void faults.push(error));
  const [early, others] = [
    await followInEveryWay(bus, "s", { servers: true }),
    await followInEveryWay(bus, "other"),
  ];
  await attach(bus);
  const late = await followInEveryWay(bus, "s");
  const said: string[] = [];
  const report = (message: string): void => {
    said.push(message);
    for (const id of ["s", "other"]) expect(bus.publish(id, { message })).toBe(true);
  };
  report("first");
  await turn();
  report("second");
  await bus.flush();
  // More than half the history in one turn: followers are offered it early, inside the reports.
  for (let round = 0; round < 4; round++) {
    for (let n = 0; n < 15; n++) report(`${round}-${n}`);
    await turn();
  }
  for (const id of ["s", "other"]) bus.end(id);
  said.push("end completed");
  await expectAllTold([...early, ...late], said);
  await expectAllTold(others, said);
  await eventually("nobody follows", () => bus.stats().followers === 0);
  await bus.close();
  expect(bus.stats()).toMatchObject({ sessions: 0, followers: 0, bytes: 0 });
  for (const fault of faults) expect(fault).toBeInstanceOf(Error);
  return faults;
}

describe.each(Object.entries(FILTERED))("a filter that throws, over %s", (_adapter, follow) => {
  test.each(THROWERS)("%s, withholds, is told, and hurts no other follower", async (_what, boom) => {
    let told = async (): Promise<string[]> => [];
    const faults = await expectDelivery(async (bus) => (told = await follow(bus, boom)));
    expect(faults).not.toEqual([]);
    expect(await told()).toEqual(["ready", "session_end"]);
  });

  test.each(THROWERS)("%s, as a rejection, does the same", async (_what, boom) => {
    let told = async (): Promise<string[]> => [];
    const filter = untyped(async () => boom());
    const faults = await expectDelivery(async (bus) => (told = await follow(bus, filter)));
    expect(faults).not.toEqual([]);
    expect(await told()).toEqual(["ready", "session_end"]);
  });
});

const SOCKET_PARTS = [
  "send",
  "close",
  "terminate",
  "addEventListener",
  "bufferedAmount",
  "readyState",
] as const;

/** A socket that throws where `part` is called or read, from its `from`th time on. */
function brokenSocket(part: (typeof SOCKET_PARTS)[number], boom: Boom, from: number): WebSocketLike {
  const socket = {
    send: () => undefined,
    close: () => undefined,
    terminate: () => undefined,
    addEventListener: () => undefined,
    bufferedAmount: 0,
    readyState: 1,
  };
  let times = 0;
  const whole: unknown = socket[part];
  const call = (): unknown => (++times >= from ? boom() : typeof whole === "function" ? undefined : whole);
  return Object.defineProperty(socket, part, typeof whole === "function" ? { value: call } : { get: call });
}

describe.each(SOCKET_PARTS)("a WebSocket whose %s throws", (part) => {
  test.each(THROWERS.flatMap(([what, boom]) => [1, 2].map((from) => ({ what, boom, from }))))(
    "$what, from time $from on, hurts no other follower",
    async ({ boom, from }) => {
      await expectDelivery((bus) => {
        for (let n = 0; n < 3; n++) {
          try {
            followOverWebSocket(bus, "s", brokenSocket(part, boom, from));
          } catch {
            // It may reach who follows, as long as nothing stays attached.
          }
        }
      });
    },
  );
});

const RESPONSE_PARTS = ["writeHead", "write", "end", "destroy", "on"] as const;

describe.each(RESPONSE_PARTS)("a response whose %s throws", (part) => {
  const broken = (boom: Boom, from: number) => (res: ServerResponse) => {
    let times = 0;
    const whole = (res[part] as (...args: unknown[]) => unknown).bind(res);
    Object.defineProperty(res, part, {
      value: (...args: unknown[]) => (++times >= from ? boom() : whole(...args)),
      configurable: true,
      writable: true,
    });
  };

  test.each(THROWERS.flatMap(([what, boom]) => [1, 2, 3].map((from) => ({ what, boom, from }))))(
    "$what, from time $from on, hurts no other follower",
    async ({ boom, from }) => {
      await expectDelivery(async (bus) => {
        const handle = nodeHandler(bus);
        let handled = 0;
        const url = await serveSession((req, res) => {
          handled++;
          broken(boom, from)(res);
          try {
            void handle(req, res);
          } catch {
            // The server's own.
          }
        });
        const stop = new AbortController();
        onTestFinished(() => stop.abort());
        for (let n = 0; n < 3; n++) fetch(url, { signal: stop.signal }).catch(() => undefined);
        await eventually("all are handled", () => handled === 3);
      });
    },
  );
});
