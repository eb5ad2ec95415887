import type { IncomingMessage, ServerResponse } from "node:http";
import type { Http2ServerRequest } from "node:http2";
import type { Socket } from "node:net";
import type { Carrier } from "../../bus/followers.ts";
import { reserveStack } from "../../runtime/stack.ts";
import { type AnyResponse, isHttp2 } from "./response-peer.ts";

/** A request of Node's own. */
export type AnyRequest = IncomingMessage | Http2ServerRequest;

/** How many requests may wait behind a connection's open response. Browsers send none; each holds memory. */
const MAX_WAITING = 20;

const waiting = new WeakMap<Socket, number>();
/** The newest response whose turn it was. */
const heads = new WeakMap<Socket, ServerResponse>();
const leavers = new WeakMap<Socket, Set<() => void>>();

/**
 * Calls `answer` at once, or when the response before `res` is over, where the client has sent this request before that
 * (it is pipelined). Resolves with it, or when the connection closes first. Whoever has more than a few requests waiting
 * is cut off: Node reads on as long as nobody answers them.
 */
export function inTurn(req: AnyRequest, res: AnyResponse, answer: () => Promise<void>): Promise<void> {
  if (isHttp2(res)) {
    destroyWhenAborted(req);
    return answer();
  }
  const { socket } = req;
  if (res.socket !== null) {
    // A request that was made up, as tests and serverless shims do, may have none.
    if ((socket as Socket | undefined) !== undefined) heads.set(socket, res);
    return answer();
  }
  reserveStack();
  // Node goes on with what it has read already: thousands of requests, each of which would hold memory.
  if (socket.destroyed) return Promise.resolve();
  return new Promise((resolve) => {
    const ahead = waiting.get(socket) ?? 0;
    const forget = onLeft(req, resolve);
    if (ahead >= MAX_WAITING && !isPassing(socket)) {
      socket.destroy();
      return;
    }
    waiting.set(socket, ahead + 1);
    res.once("socket", () => {
      waiting.set(socket, waiting.get(socket)! - 1);
      heads.set(socket, res);
      forget();
      resolve(answer());
    });
  });
}

/** Whether what waits on `socket` will be answered soon: the response before it has been given, and its client reads. */
function isPassing(socket: Socket): boolean {
  const head = heads.get(socket);
  return head?.socket === socket && head.writableEnded && !socket.writableNeedDrain;
}

/**
 * Has an HTTP/2 stream close when its client has reset it. Node leaves one that was reset with NO_ERROR, as its own
 * client does, without a `close` for as long as something is unsent, and that may be for ever.
 */
export function destroyWhenAborted(req: AnyRequest): void {
  if (!("stream" in req)) return;
  const { stream } = req;
  if (stream.aborted) stream.destroy();
  else stream.once("aborted", () => stream.destroy());
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
  all.add(left);
  if (socket.closed) left();
  return () => all.delete(left);
}

/** The HTTP/2 session that brought `req`, if one did. Its `close` says GOAWAY. */
export function carrierOf(req: AnyRequest): Carrier | undefined {
  return "stream" in req ? req.stream.session : undefined;
}
