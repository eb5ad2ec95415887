import { reserveStack } from "../../runtime/stack.ts";
import type { AnswerHeaders } from "../answer-headers.ts";
import { carrierOf, destroyWhenAborted, hasLeft, inTurn } from "../node/client-connection.ts";
import { keepOpen } from "../node/response-head.ts";
import type { Exchange, ExchangeHandler } from "../sse/handler.ts";
import { bypassable, NodeBypass } from "./node-bypass.ts";
import type { NodeSide } from "./node-side.ts";
import { StreamPeer } from "./stream-peer.ts";

/** Makes a response; `body` is `null` where there is none. */
export type Respond = (
  body: string | ReadableStream<Uint8Array> | null,
  status: number,
  headers: AnswerHeaders,
) => Response;

/** A response that no middleware has set headers for. */
const plainResponse: Respond = (body, status, headers) => {
  const isPlain = Object.values(headers).every((value) => typeof value === "string");
  return new Response(body, {
    status,
    headers: isPlain ? (headers as Record<string, string>) : lines(headers),
  });
};

function lines(headers: AnswerHeaders): [name: string, value: string][] {
  return Object.entries(headers).flatMap(([name, value]) =>
    [value].flat().map((one): [string, string] => [name, one]),
  );
}

/** The response to `raw`, which the options know as `request`, as `make` makes it. `node` is what is behind it on Node. */
export function respond<Req>(
  handle: ExchangeHandler<Req>,
  request: Req,
  raw: Request,
  node: NodeSide | undefined,
  make: Respond = plainResponse,
): Promise<Response> {
  reserveStack();
  return new Promise((resolve) => {
    const { signal, method, url, headers } = raw;
    const exchange: Exchange<Req> = {
      request,
      method,
      url,
      carrier: node && (carrierOf(node.incoming) ?? (node.outgoing ? undefined : node.incoming.socket)),
      header: (name) => headers.get(name) ?? undefined,
      get gone() {
        return signal.aborted || (node !== undefined && hasLeft(node.incoming));
      },
      answer: (status, answerHeaders, body) => {
        resolve(make(body === "" || method === "HEAD" ? null : body, status, answerHeaders));
      },
      stream: (streamHeaders) => {
        if (node?.outgoing !== undefined) keepOpen(node.outgoing);
        const peer = new StreamPeer(signal, node);
        resolve(make(peer.body, 200, streamHeaders));
        const res = bypassable(node?.outgoing);
        return res === undefined ? peer : new NodeBypass(peer, res);
      },
    };
    const answer = (): Promise<void> => handle(exchange);
    const outgoing = node?.outgoing;
    if (node !== undefined && outgoing === undefined) destroyWhenAborted(node.incoming);
    const decided = outgoing === undefined ? answer() : inTurn(node!.incoming, outgoing, answer);
    // The client has left without an answer, and nobody will read this one; but a promise must not hang.
    void decided.then(() => {
      resolve(new Response(null, { status: 499 }));
    });
  });
}
