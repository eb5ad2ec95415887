import type * as http from "node:http";
import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";

/**
 * The socket of `res`, when whole chunks may go to it past the response: then all followers share one
 * buffer that is framed already, and Node does not write four pieces for each.
 *
 * Only an HTTP/1.1 response that sends chunks and holds nothing back. An optimisation that can be deleted.
 */
export function chunkedSocket(res: ServerResponse): Socket | undefined {
  const { socket } = res;
  const plain =
    socket !== null &&
    res.headersSent &&
    res.chunkedEncoding &&
    mayBypass(res) &&
    res.writableLength === socket.writableLength;
  return plain ? socket : undefined;
}

/**
 * Whether `res` would just pass on what it is given. To be asked before each write: somebody may end the
 * response (a timeout) or wrap its `write` (instrumentation) at any time, and bytes after the last chunk would
 * be taken for the next response.
 */
export function mayBypass(res: ServerResponse): boolean {
  original ??= nodesWrite();
  return !res.writableEnded && (res as { write: unknown }).write === original;
}

/** Equal to nothing where it cannot be known. */
let original: unknown;

/**
 * What a response's `write` is when nobody has replaced it: on the response, its class, or Node's. Not looked up
 * at load: Hono's adapter loads this wherever it runs.
 */
function nodesWrite(): unknown {
  const { process } = globalThis as unknown as {
    process: { getBuiltinModule?(id: "node:http"): typeof http };
  };
  const prototype: { write?: unknown } | undefined =
    process.getBuiltinModule?.("node:http").OutgoingMessage.prototype;
  return prototype?.write ?? NaN;
}
