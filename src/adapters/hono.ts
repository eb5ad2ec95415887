import type { Context, Env } from "hono";
import type { SessionEventBus } from "../bus/session-event-bus.ts";
import { createHandler, type SseOptions } from "../transport/sse/handler.ts";
import { checkFramework } from "../transport/check-caller.ts";
import { NodeBypass, nodeResponse } from "../transport/fetch/node-bypass.ts";
import { respond } from "../transport/fetch/stream-peer.ts";

export type { SseOptions } from "../transport/sse/handler.ts";
export type { Refusal } from "../transport/sse/refusal.ts";

/**
 * Answers `GET /events?session_id=…` as an event stream, for Hono on any runtime. The options' callbacks get
 * Hono's context, with what middleware has put there.
 *
 * @throws {TypeError} If `bus` is no event bus or an option is malformed.
 * @example
 * ```ts
 * app.get("/events", sseHandler(bus, { authorize: (c, sessionId, owner) => c.get("userId") === owner }));
 * ```
 */
export function sseHandler<E extends Env = Env>(
  bus: SessionEventBus,
  options?: SseOptions<Context<E>>,
): (c: Context<E>, ...rest: unknown[]) => Promise<Response> {
  const handle = createHandler(bus, options);
  return (c, ...rest) => {
    checkFramework("hono", c, rest[0]);
    const res = nodeResponse(c.env);
    return respond(handle, c, c.req.raw, res && ((sink) => new NodeBypass(sink, res)));
  };
}
