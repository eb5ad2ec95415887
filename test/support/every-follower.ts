import { Readable } from "node:stream";
import { Hono } from "hono";
import { expect, onTestFinished } from "vitest";
import type { SessionEntry, SessionEventBus } from "session-progress";
import { sseHandler as fetchHandler } from "session-progress/fetch";
import { sseHandler as honoHandler } from "session-progress/hono";
import { sseHandler as nodeHandler } from "session-progress/node";
import { followOverWebSocket } from "session-progress/websocket";
import { EventStreamClient, dataOf } from "./event-stream-client.ts";
import { describeEvent } from "./events.ts";
import { within } from "./eventually.ts";
import { serveFetch } from "./fetch-server.ts";
import { serve } from "./http-server.ts";

/** Longer than any healthy follower waits for what has been reported. */
const PATIENCE_MS = 4_000;

/** A follower of one session, and what it has been told so far. */
export interface Witness {
  /** How it follows. */
  readonly way: string;
  /** Events with their ids, in the order of their arrival; no `ready`. */
  readonly entries: SessionEntry[];
  /** Resolves when the follower was let go: its stream is over, its socket closed. */
  readonly over: Promise<unknown>;
}

type Way = (bus: SessionEventBus, sessionId: string) => Promise<Omit<Witness, "way">>;

const all = (): boolean => true;

/** A session can be followed in so many ways; each encodes, filters or waits in code of its own. */
const WAYS: Record<string, Way> = {
  "a listener": async (bus, sessionId) => {
    const entries: SessionEntry[] = [];
    const over = new Promise<void>((resolve) => {
      bus.subscribe(
        sessionId,
        (entry) => {
          entries.push(entry);
          if (entry.event.t === "session_end") resolve();
        },
        { after: "start" },
      );
    });
    return { entries, over };
  },
  "an iterator": async (bus, sessionId) => {
    const entries: SessionEntry[] = [];
    const iterable = bus.follow(sessionId);
    const over = (async () => {
      for await (const entry of iterable) entries.push(entry);
    })();
    return { entries, over };
  },
  "SSE over fetch": async (bus, sessionId) =>
    readStream(await overFetch(await fetchHandler(bus)(asked(sessionId)))),
  "SSE over fetch with a filter": async (bus, sessionId) =>
    readStream(await overFetch(await fetchHandler(bus, { filter: all })(asked(sessionId)))),
  "SSE over Hono": async (bus, sessionId) => {
    const app = new Hono().get("/", honoHandler(bus));
    return readStream(await overFetch(await app.request(asked(sessionId))));
  },
  "SSE over Hono on Node": async (bus, sessionId) => {
    const app = new Hono().get("/", honoHandler(bus));
    const server = await serveFetch(app.fetch);
    onTestFinished(() => server.close());
    return readStream(await EventStreamClient.open(`${server.origin}/?session_id=${sessionId}`));
  },
  "SSE over Node": async (bus, sessionId) => {
    const server = await serve(nodeHandler(bus));
    onTestFinished(() => server.close());
    return readStream(await EventStreamClient.open(`${server.origin}/?session_id=${sessionId}`));
  },
  "SSE over Node with a filter": async (bus, sessionId) => {
    const server = await serve(nodeHandler(bus, { filter: all }));
    onTestFinished(() => server.close());
    return readStream(await EventStreamClient.open(`${server.origin}/?session_id=${sessionId}`));
  },
  "a WebSocket": async (bus, sessionId) => overWebSocket(bus, sessionId, {}),
  "a WebSocket with a filter": async (bus, sessionId) => overWebSocket(bus, sessionId, { filter: all }),
};

/** Follows `sessionId` from its start in every way there is; unless `servers`, only in those that need none. */
export async function followInEveryWay(
  bus: SessionEventBus,
  sessionId: string,
  { servers = false } = {},
): Promise<Witness[]> {
  const ways = Object.entries(WAYS).filter(([way]) => servers || !way.includes("Node"));
  return Promise.all(ways.map(async ([way, follow]) => ({ way, ...(await follow(bus, sessionId)) })));
}

/** Waits until every witness was let go, and says what each was told: by its way, in short words. */
export async function toldToAll(witnesses: readonly Witness[]): Promise<Record<string, string[]>> {
  await Promise.all(
    witnesses.map(({ way, entries, over }) =>
      within(`${way}, told ${JSON.stringify(entries.map(describeEvent))}`, PATIENCE_MS, over),
    ),
  );
  return Object.fromEntries(witnesses.map(({ way, entries }) => [way, entries.map(describeEvent)]));
}

/** Expects every witness to have been told the same: `said`, under the same ids, and to be let go. */
export async function expectAllTold(witnesses: readonly Witness[], said: readonly string[]): Promise<void> {
  const told = await toldToAll(witnesses);
  expect(told).toEqual(Object.fromEntries(witnesses.map(({ way }) => [way, said])));
  // As JSON, because that can compare data of any depth.
  const [first, ...rest] = witnesses.map(({ entries }) => entries.map((entry) => JSON.stringify(entry)));
  for (const entries of rest) expect(entries).toEqual(first);
}

function asked(sessionId: string): Request {
  return new Request(`http://localhost/?session_id=${sessionId}`);
}

async function overFetch(response: Response): Promise<EventStreamClient> {
  const body = Readable.fromWeb(response.body as Parameters<typeof Readable.fromWeb>[0]);
  return new EventStreamClient({ status: response.status, headers: {}, body });
}

function readStream(client: EventStreamClient): Omit<Witness, "way"> {
  const entries: SessionEntry[] = [];
  const over = (async () => {
    for (;;) {
      const block = await client.next().catch(() => undefined);
      if (block === undefined) return;
      if (block.event === undefined || block.event === "ready") continue;
      entries.push({ id: block.id!, event: dataOf(block) as unknown as SessionEntry["event"] });
    }
  })();
  onTestFinished(() => client.close());
  return { entries, over };
}

function overWebSocket(
  bus: SessionEventBus,
  sessionId: string,
  options: { filter?: () => boolean },
): Omit<Witness, "way"> {
  const entries: SessionEntry[] = [];
  const over = new Promise<void>((resolve) => {
    const send = (message: string): void => {
      const entry = JSON.parse(message) as SessionEntry | { event: { t: "ready" } };
      if (entry.event.t !== "ready") entries.push(entry as SessionEntry);
    };
    followOverWebSocket(bus, sessionId, { send, close: () => resolve() }, options);
  });
  return { entries, over };
}
