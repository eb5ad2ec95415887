import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { type AnswerHeaders, beside, OF_A_BODY } from "../answer-headers.ts";
import { type AnyResponse, isHttp2 } from "./response-peer.ts";

/** Where the headers of an answer are until it is sent: Node's response, or a framework's reply. */
export interface HeaderStore {
  hasHeader(name: string): boolean;
  removeHeader(name: string): unknown;
}

/**
 * Sends the head of an answer: `headers`, and what middleware has set before, unless that speaks of another body.
 * Nothing here touches `Connection`, which is the server's.
 */
export function writeHead(res: AnyResponse, status: number, headers: AnswerHeaders): void {
  if (forgetBody(res, res, status)) res.setHeader("transfer-encoding", "chunked");
  (res as ServerResponse).writeHead(
    status,
    beside(headers, (name) => res.getHeader(name)),
  );
}

/**
 * Removes from `store`, which is that of `res`, what speaks of another body. Where a `Transfer-Encoding` was set, the
 * answer says whether it has to be `chunked` instead, as Node's own would be: once that was removed, Node frames
 * nothing at all.
 */
export function forgetBody(store: HeaderStore, res: AnyResponse, status: number): boolean {
  for (const name of OF_A_BODY) if (store.hasHeader(name)) store.removeHeader(name);
  if (status === 204) store.removeHeader("content-type");
  if (!store.hasHeader("transfer-encoding")) return false;
  if (!isHttp2(res) && res.req.httpVersion !== "1.0" && status !== 204) return true;
  store.removeHeader("transfer-encoding");
  return false;
}

/**
 * Whether nobody waits for an answer any more: somebody else has given one, or the client has left. That is not
 * `req.destroyed`: a request whose body was parsed is over, its client is still there.
 */
export function isOver(res: AnyResponse): boolean {
  if (res.headersSent || res.writableEnded) return true;
  return isHttp2(res) ? res.stream.destroyed : res.destroyed || res.closed || res.socket?.destroyed === true;
}

/** Frameworks and servers may have set an idle timeout; keep-alive and the write deadline replace it. */
export function keepOpen(res: AnyResponse): void {
  if (isHttp2(res)) return;
  const socket = res.socket as Partial<Socket> | null;
  socket?.setTimeout?.(0);
  socket?.setNoDelay?.(true);
}
