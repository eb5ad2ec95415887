import type { Request, RequestHandler } from "express";
import type { SessionEventBus } from "../bus/session-event-bus.ts";
import type { SseOptions } from "../transport/sse/handler.ts";
import { sseHandler as nodeHandler } from "./node.ts";

export type { SseOptions } from "../transport/sse/handler.ts";
export type { Refusal } from "../transport/sse/refusal.ts";

/**
 * Answers `GET /events?session_id=…` as an event stream, for Express 4 and 5.
 *
 * Mount it on a route of its own. Every answer is its own, refusals included: `next` is never called.
 * @throws {TypeError} If `bus` is no event bus or an option is malformed.
 * @throws {SessionProgressError} `headers_sent`, from the returned handler.
 * @example
 * ```ts
 * app.get("/events", sseHandler(bus, { authorize: (req, sessionId, owner) => req.user?.id === owner }));
 * ```
 */
export function sseHandler(bus: SessionEventBus, options?: SseOptions<Request>): RequestHandler {
  const handle = nodeHandler<Request>(bus, options);
  return (req, res) => {
    handle(req, res);
  };
}
