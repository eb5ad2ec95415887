import { IS_BUN } from "../../runtime/host.ts";
import type { SseOptions } from "../sse/options.ts";

/**
 * Bun cuts a response that is silent for its server's `idleTimeout`: 10 s, which its clock of 4 s may make 8. A longer
 * one cannot be had everywhere ({@link liftIdleTimeout}), so the keep-alive comes sooner.
 */
const BUN_KEEP_ALIVE_MS = 5_000;

/** `options`, with what Bun needs where they leave it open. */
export function withBunDefaults<Req>(options: SseOptions<Req> = {}): SseOptions<Req> {
  if (!IS_BUN || options.keepAliveMs !== undefined) return options;
  return { ...options, keepAliveMs: BUN_KEEP_ALIVE_MS };
}

/** The longest that Bun knows but for never, which would stay with the connection when the response is over. */
const LONGEST_IDLE_S = 255;

/**
 * Has Bun's server, where `env` is that or has it, wait longer for this request's response: keep-alive and write deadline
 * stand instead.
 */
export function liftIdleTimeout(env: unknown, request: Request): void {
  if (!IS_BUN) return;
  const { server = env } = (env ?? {}) as { server?: unknown };
  const { timeout } = (server ?? {}) as { timeout?: unknown };
  if (typeof timeout !== "function") return;
  try {
    timeout.call(server, request, LONGEST_IDLE_S);
  } catch {
    // Not the request that Bun gave out but one that middleware has made of it.
  }
}
