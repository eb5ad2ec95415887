import type { IncomingMessage, ServerResponse } from "node:http";
import type { Http2ServerRequest } from "node:http2";
import type { Socket } from "node:net";
import type { Carrier } from "../../bus/followers.ts";
import { reserveStack } from "../../runtime/stack.ts";
import type { AnyResponse } from "./response-peer.ts";

/** A request of Node's own. */
export type AnyRequest = IncomingMessage | Http2ServerRequest;

/** How many requests may wait behind a connection's open response. Browsers send none; each holds memory. */
const MAX_WAITING = 8;

const waiting = new WeakMap<Socket, number>();
const leavers = new WeakMap<Socket, Set<() => void>>();

/** Whether the client has sent this request before it had the answer to the one before, which still goes on. */
export function isPipelined(res: AnyResponse): res is ServerResponse {
  return !("stream" in res) && res.socket === null && !res.headersSent;
}

/**
 * Calls `answer` when the response before `res` is over. Resolves with it, or when the connection closes first. Whoever
 * sends more than a few such requests is cut off: Node reads on as long as nobody answers them.
 */
export function inTurn(req: AnyRequest, res: ServerResponse, answer: () => Promise<void>): Promise<void> {
  reserveStack();
  return new Promise((resolve) => {
    const { socket } = req;
    const ahead = waiting.get(socket) ?? 0;
    const forget = onLeft(req, resolve);
    if (ahead >= MAX_WAITING) {
      socket.destroy();
      return;
    }
    waiting.set(socket, ahead + 1);
    res.once("socket", () => {
      waiting.set(socket, waiting.get(socket)! - 1);
      forget();
      resolve(answer());
    });
  });
}

/** Whether the connection that brought `req` is gone, or for HTTP/2 its stream. */
export function hasLeft(req: AnyRequest): boolean {
  return "stream" in req ? req.stream.destroyed : req.socket.destroyed;
}

/** Calls `left` once when the connection that brought `req` has gone, or for HTTP/2 its stream. Returns how to take that back. */
export function onLeft(req: AnyRequest, left: () => void): () => void {
  if ("stream" in req) {
    req.stream.once("close", left);
    return () => req.stream.off("close", left);
  }
  const { socket } = req;
  // One listener a socket: a client decides how many requests it sends, and Node warns of many listeners.
  let all = leavers.get(socket);
  if (all === undefined) {
    const added = (all = new Set<() => void>());
    leavers.set(socket, added);
    socket.once("close", () => {
      for (const one of added) one();
    });
  }
  const { size } = all.add(left);
  if (size > 0 && socket.closed) left();
  return () => all.delete(left);
}

/** The HTTP/2 session that brought `req`, if one did. Its `close` says GOAWAY. */
export function carrierOf(req: AnyRequest): Carrier | undefined {
  return "stream" in req ? req.stream.session : undefined;
}
