import type { Context, Env } from "hono";
import type { SessionEventBus } from "../bus/session-event-bus.ts";
import { ADDED, OF_A_BODY } from "../transport/answer-headers.ts";
import { createHandler } from "../transport/sse/handler.ts";
import type { SseOptions } from "../transport/sse/options.ts";
import { checkFramework } from "../transport/check-caller.ts";
import { liftIdleTimeout, withBunDefaults } from "../transport/fetch/bun.ts";
import { nodeSide } from "../transport/fetch/node-side.ts";
import { type Respond, respond } from "../transport/fetch/respond.ts";
import { warnOfSharedIsolate } from "../transport/fetch/workers.ts";

export type { SseOptions } from "../transport/sse/options.ts";
export type { Refusal } from "../transport/sse/refusal.ts";

/**
 * Answers `GET /events?session_id=…` as an event stream, for Hono on any runtime. The options' callbacks get
 * Hono's context, with what middleware has put there.
 *
 * @throws {TypeError} If `bus` is no event bus or an option is malformed.
 * @example
 * ```ts
 * const app = new Hono<{ Variables: { userId: string } }>();
 * app.get("/events", sseHandler(bus, { authorize: (c, _sessionId, owner) => c.get("userId") === owner }));
 * ```
 */
export function sseHandler<
  // Hono's own default of a context: TypeScript cannot find out the app's, and would refuse all of its variables.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  E extends Env = any,
>(
  bus: SessionEventBus,
  options?: SseOptions<Context<E>>,
): (c: Context<E>, ...rest: unknown[]) => Promise<Response> {
  warnOfSharedIsolate();
  const handle = createHandler(bus, withBunDefaults(options));
  return (c, ...rest) => {
    checkFramework("hono", c, rest[0]);
    const { raw } = c.req;
    liftIdleTimeout(c.env, raw);
    return respond(handle, c, raw, nodeSide(raw, c.env), besideOthers(c));
  };
}

/** Responses of `c`, with what middleware has put there, unless that speaks of another body. */
function besideOthers(c: Context): Respond {
  return (body, status, headers) => {
    for (const name of [...OF_A_BODY, "transfer-encoding"]) c.header(name, undefined);
    if (status === 204) c.header("content-type", undefined);
    // Put into the context, not into the response: where middleware has made one already, that one's headers win.
    for (const [name, value] of Object.entries(headers)) {
      const append = ADDED.includes(name);
      for (const one of typeof value === "string" ? [value] : value) c.header(name, one, { append });
    }
    return c.newResponse(body, status as 200);
  };
}
