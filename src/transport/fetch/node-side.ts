import type { ServerResponse } from "node:http";
import type { AnyRequest } from "../node/client-connection.ts";
import type { AnyResponse } from "../node/response-peer.ts";

/** Node's side of a fetch request, where a server on Node has made one. */
export interface NodeSide {
  readonly incoming: AnyRequest;
  /** The response that the answer becomes, if it is known. */
  readonly outgoing: AnyResponse | undefined;
}

/**
 * Finds Node's request and response behind `request`. `env` is what its server hands on beside it: `incoming` and
 * `outgoing` (`@hono/node-server`) or `req` and `res` (`@whatwg-node/server`); srvx and h3 have them in the request.
 *
 * A server is to abort the request's `signal` when the client has left. Not every one does, for every request.
 */
export function nodeSide(request: Request, env: unknown): NodeSide | undefined {
  const { runtime } = request as { runtime?: { node?: unknown } };
  return sideOf(env) ?? sideOf(runtime?.node) ?? hiddenSide(request);
}

function sideOf(given: unknown): NodeSide | undefined {
  if (typeof given !== "object" || given === null) return undefined;
  const { incoming, outgoing, req, res } = given as Partial<Record<string, unknown>>;
  const [request, response] = [incoming ?? req, outgoing ?? res];
  if (!isRequest(request)) return undefined;
  return { incoming: request, outgoing: isResponse(response) ? response : undefined };
}

/** `@hono/node-server` keeps it in the request, for itself. Where it no longer does, only `signal` tells. */
function hiddenSide(request: Request): NodeSide | undefined {
  for (const key of Object.getOwnPropertySymbols(request)) {
    const incoming = (request as unknown as Record<symbol, unknown>)[key];
    if (isRequest(incoming)) return { incoming, outgoing: undefined };
  }
  return undefined;
}

function isRequest(value: unknown): value is AnyRequest {
  const { httpVersion, socket } = (value ?? {}) as Partial<AnyRequest>;
  return typeof httpVersion === "string" && typeof socket?.destroy === "function";
}

function isResponse(value: unknown): value is AnyResponse {
  return typeof (value as Partial<ServerResponse> | undefined)?.writeHead === "function";
}
