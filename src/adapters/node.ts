import type { IncomingMessage, ServerResponse } from "node:http";
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";
import type { Carrier } from "../bus/followers.ts";
import type { SessionEventBus } from "../bus/session-event-bus.ts";
import { SessionProgressError } from "../runtime/errors.ts";
import type { AnswerHeaders } from "../transport/answer-headers.ts";
import type { BytePeer } from "../transport/sse/event-stream.ts";
import { createHandler, type Exchange } from "../transport/sse/handler.ts";
import type { SseOptions } from "../transport/sse/options.ts";
import { checkFramework } from "../transport/check-caller.ts";
import { type AnyRequest, carrierOf, inTurn } from "../transport/node/client-connection.ts";
import { isOver, keepOpen, writeHead } from "../transport/node/response-head.ts";
import { type AnyResponse, ResponsePeer } from "../transport/node/response-peer.ts";

export type { SseOptions } from "../transport/sse/options.ts";
export type { Refusal } from "../transport/sse/refusal.ts";

/**
 * Answers `GET /events?session_id=…` as an event stream, on a plain Node server (HTTP/1 and HTTP/2) or
 * anything that has its `req` and `res`: Next.js's pages, h3, Nitro, and Koa's raw ones too.
 *
 * Every answer is its own, refusals included, so mount it where nothing else answers; `next` is never called. The
 * handler returns a promise that settles when the answer is decided: the stream has begun, another answer was given,
 * or the client has left. It never rejects, so that nobody has to await it but a framework that would answer itself.
 * @throws {TypeError} If `bus` is no event bus or an option is malformed; from the returned handler, if it is
 *   called with another framework's arguments.
 * @throws {SessionProgressError} `headers_sent`, from the returned handler.
 * @example
 * ```ts
 * const events = sseHandler(bus);
 * createServer((req, res) => (req.url?.startsWith("/events") ? events(req, res) : res.writeHead(404).end()));
 * ```
 */
export function sseHandler<Req extends IncomingMessage | Http2ServerRequest = IncomingMessage>(
  bus: SessionEventBus,
  options?: SseOptions<Req>,
): (req: Req, res: ServerResponse | Http2ServerResponse, next?: unknown) => Promise<void> {
  const handle = createHandler(bus, options);
  // The third parameter is for h3: it ends the response of a handler with two when what that returned has settled.
  return (req, res, _next) => {
    checkFramework("node", req, res);
    if (res.headersSent) {
      throw new SessionProgressError(
        "headers_sent",
        "The response's headers were sent before sseHandler got it.",
      );
    }
    const answer = (): Promise<void> => handle(new NodeExchange(req, res));
    return inTurn(req, res, answer);
  };
}

class NodeExchange<Req extends AnyRequest> implements Exchange<Req> {
  readonly request: Req;
  readonly method: string;
  readonly url: string;
  readonly #res: AnyResponse;

  constructor(req: Req, res: AnyResponse) {
    this.request = req;
    this.method = req.method ?? "GET";
    this.url = req.url ?? "";
    this.#res = res;
  }

  get gone(): boolean {
    return isOver(this.#res);
  }

  get carrier(): Carrier | undefined {
    return carrierOf(this.request);
  }

  header(name: string): string | undefined {
    const value = this.request.headers[name];
    return Array.isArray(value) ? value[0] : value;
  }

  answer(status: number, headers: AnswerHeaders, body: string): void {
    writeHead(this.#res, status, headers);
    (this.#res as ServerResponse).end(body);
  }

  stream(headers: AnswerHeaders): BytePeer {
    const res = this.#res;
    keepOpen(res);
    writeHead(res, 200, headers);
    return new ResponsePeer(res);
  }
}
