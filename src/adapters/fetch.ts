import type { SessionEventBus } from "../bus/session-event-bus.ts";
import { createHandler } from "../transport/sse/handler.ts";
import type { SseOptions } from "../transport/sse/options.ts";
import { checkFramework } from "../transport/check-caller.ts";
import { liftIdleTimeout, withBunDefaults } from "../transport/fetch/bun.ts";
import { nodeSide } from "../transport/fetch/node-side.ts";
import { respond } from "../transport/fetch/respond.ts";
import { warnOfSharedIsolate } from "../transport/fetch/workers.ts";

export type { SseOptions } from "../transport/sse/options.ts";
export type { Refusal } from "../transport/sse/refusal.ts";

/**
 * Answers `GET /events?session_id=…` as an event stream, wherever a server takes a `Request` and gives a
 * `Response`: Next.js route handlers, Bun, Deno, Cloudflare Workers.
 *
 * @throws {TypeError} If `bus` is no event bus or an option is malformed.
 * @example
 * ```ts
 * export const GET = sseHandler(bus); // app/events/route.ts
 * ```
 */
export function sseHandler(
  bus: SessionEventBus,
  options?: SseOptions<Request>,
): (request: Request, ...rest: unknown[]) => Promise<Response> {
  warnOfSharedIsolate();
  const handle = createHandler(bus, withBunDefaults(options));
  return (request, ...rest) => {
    checkFramework("fetch", request, rest[0]);
    liftIdleTimeout(rest[0], request);
    return respond(handle, request, request, nodeSide(request, rest[0]));
  };
}
