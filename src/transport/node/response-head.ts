import type { ServerResponse } from "node:http";
import { type AnswerHeaders, beside, OF_A_BODY } from "../answer-headers.ts";
import { type AnyResponse, isHttp2 } from "./response-peer.ts";

/**
 * Sends the head of an answer: `headers`, and what middleware has set before, unless that speaks of another body.
 * Nothing here touches `Connection`, which is the server's.
 */
export function writeHead(res: AnyResponse, status: number, headers: AnswerHeaders): void {
  for (const name of OF_A_BODY) if (res.hasHeader(name)) res.removeHeader(name);
  if (status === 204) res.removeHeader("content-type");
  if (res.hasHeader("transfer-encoding")) frame(res, status);
  (res as ServerResponse).writeHead(
    status,
    beside(headers, (name) => res.getHeader(name)),
  );
}

/** As Node would without a `Transfer-Encoding` of middleware's: where that was removed, it frames nothing at all. */
function frame(res: AnyResponse, status: number): void {
  const isChunked = !isHttp2(res) && res.req.httpVersion !== "1.0" && status !== 204;
  if (isChunked) res.setHeader("transfer-encoding", "chunked");
  else res.removeHeader("transfer-encoding");
}
