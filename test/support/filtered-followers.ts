import type { IncomingMessage, ServerResponse } from "node:http";
import express from "express";
import express4 from "express4";
import { Hono } from "hono";
import { onTestFinished } from "vitest";
import type { AgentEvent, SessionEventBus } from "session-progress";
import { sseHandler as expressHandler } from "session-progress/express";
import { sseHandler as fetchHandler } from "session-progress/fetch";
import { sseHandler as honoHandler } from "session-progress/hono";
import { sseHandler as nodeHandler } from "session-progress/node";
import { followOverWebSocket } from "session-progress/websocket";
import { EventStreamClient } from "./event-stream-client.ts";
import { untyped } from "./untyped.ts";
import { serve } from "./http-server.ts";

/** `msg` or the kind of everything that a follower was told, once its stream is over. */
type Told = () => Promise<string[]>;

type Filter = (event: AgentEvent) => boolean;

/** Follows session `s` through `filter`, over each adapter. */
export const FILTERED: Record<string, (bus: SessionEventBus, filter: Filter) => Promise<Told>> = {
  fetch: async (bus, filter) => {
    const response = await fetchHandler(bus, { filter })(new Request("http://localhost/?session_id=s"));
    return toldIn(response.text());
  },
  hono: async (bus, filter) => {
    const app = new Hono().get("/", honoHandler(bus, { filter }));
    return toldIn((await app.request("/?session_id=s")).text());
  },
  node: async (bus, filter) => toldBy(nodeHandler(bus, { filter })),
  express: async (bus, filter) => toldBy(express().get("/", expressHandler(bus, { filter }))),
  "express 4": async (bus, filter) =>
    toldBy(untyped(express4().get("/", untyped(expressHandler(bus, { filter }))))),
  websocket: async (bus, filter) => {
    const told: string[] = [];
    const over = new Promise<void>((resolve) => {
      const send = (message: string): void => void told.push(words(JSON.parse(message).event));
      followOverWebSocket(bus, "s", { send, close: () => resolve() }, { filter });
    });
    return async () => (await over, told);
  },
};

/** Serves with `listener` on a port of its own until the test is over. */
export async function serveSession(
  listener: (req: IncomingMessage, res: ServerResponse) => unknown,
): Promise<string> {
  const server = await serve(listener);
  onTestFinished(() => server.close());
  return `${server.origin}/?session_id=s`;
}

async function toldBy(listener: (req: IncomingMessage, res: ServerResponse) => unknown): Promise<Told> {
  const client = await EventStreamClient.open(await serveSession(listener));
  return async () => (await client.over, toldIn(Promise.resolve(client.text))());
}

function toldIn(text: Promise<string>): Told {
  return async () => [...(await text).matchAll(/^data: (.*)$/gm)].map(([, data]) => words(JSON.parse(data!)));
}

function words({ t, msg }: { t: string; msg?: string }): string {
  return t === "agent_event" ? String(msg) : t;
}
