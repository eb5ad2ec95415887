import type { Request, Response } from "express";
import type { SessionEventBus } from "../bus/session-event-bus.ts";
import type { SseOptions } from "../transport/sse/options.ts";
import { sseHandler as nodeHandler } from "./node.ts";

export type { SseOptions } from "../transport/sse/options.ts";
export type { Refusal } from "../transport/sse/refusal.ts";

/**
 * Answers `GET /events?session_id=…` as an event stream, for Express 4 and 5.
 *
 * Mount it on a route of its own. Every answer is its own, refusals included: `next` is never called. The handler
 * returns a promise that settles when the answer is decided, and never rejects.
 * @throws {TypeError} If `bus` is no event bus or an option is malformed.
 * @throws {SessionProgressError} `headers_sent`, from the returned handler.
 * @example
 * ```ts
 * app.get("/events/:sessionId", sseHandler(bus, {
 *   session: (req) => req.params.sessionId,
 *   authorize: (req, _sessionId, owner) => req.user?.id === owner,
 * }));
 * ```
 */
export function sseHandler<
  // Express has `any` for what a request does not say of itself; `unknown` would not take those that do.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  Req extends Request<any, any, any, any, any> = Request,
>(
  bus: SessionEventBus,
  options?: SseOptions<Req>,
): (req: Req, res: Response, next?: unknown) => Promise<void> {
  return nodeHandler<Req>(bus, options);
}
