import { warnOnce } from "../../runtime/diagnostics.ts";
import { IS_WORKERD } from "../../runtime/host.ts";

/**
 * Warns when a handler is made outside of requests on Cloudflare Workers, which is where its bus is then too: each of
 * a Worker's many isolates has another one, and what a run waits for is cancelled after its request. It looks as if it
 * worked, until there are two isolates.
 */
export function warnOfSharedIsolate(): void {
  if (!IS_WORKERD) return;
  try {
    // Refused outside of requests; there is no other sign.
    crypto.getRandomValues(new Uint8Array(1));
  } catch {
    warnOnce(
      "workers",
      "sseHandler() was called outside of requests on Cloudflare Workers, where every isolate has an event bus of its " +
        "own and runs stop with their request. Keep the bus and its handler in a Durable Object (docs/runtimes.md).",
    );
  }
}
