import type { SessionEventBus } from "../bus.ts";
import { createHandler, type SseOptions } from "../sse/handler.ts";
import { checkFramework } from "./framework.ts";
import { respond } from "./web-response.ts";

export type { Refusal, SseOptions } from "../sse/handler.ts";

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
  const handle = createHandler(bus, options);
  return (request, ...rest) => {
    checkFramework("fetch", request, rest[0]);
    return respond(handle, request, request);
  };
}
