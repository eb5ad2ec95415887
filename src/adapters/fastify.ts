/* eslint-disable @typescript-eslint/no-explicit-any -- Fastify has `unknown` for what a route does not declare, and a
   type of its own for each server; TypeScript cannot find out which route a handler is for. */
import type { FastifyReply, FastifyRequest, RouteGenericInterface } from "fastify";
import type { Carrier } from "../bus/followers.ts";
import type { SessionEventBus } from "../bus/session-event-bus.ts";
import { SessionProgressError } from "../runtime/errors.ts";
import { ADDED, type AnswerHeaders, beside } from "../transport/answer-headers.ts";
import { checkFramework } from "../transport/check-caller.ts";
import { type AnyRequest, carrierOf, hasLeft, inTurn, onLeft } from "../transport/node/client-connection.ts";
import { PipedPeer } from "../transport/node/piped-peer.ts";
import { forgetBody, isOver, keepOpen } from "../transport/node/response-head.ts";
import type { BytePeer } from "../transport/sse/event-stream.ts";
import { createHandler, type Exchange } from "../transport/sse/handler.ts";
import type { SseOptions } from "../transport/sse/options.ts";

export type { SseOptions } from "../transport/sse/options.ts";
export type { Refusal } from "../transport/sse/refusal.ts";

/**
 * Answers `GET /events?session_id=…` as an event stream, for Fastify 4 and 5. The options' callbacks get Fastify's
 * request.
 *
 * Streams and refusals are sent as Fastify's replies are: with the headers of the reply, through `onSend` hooks, which
 * set cookies, to `onResponse`. Only `preSerialization`, schemas and the error handler have no part in them. From the
 * first byte of a stream on, the reply is hijacked. The handler returns a promise that settles when the answer is
 * decided, and never rejects.
 * @throws {TypeError} If `bus` is no event bus or an option is malformed.
 * @throws {SessionProgressError} `headers_sent`, from the returned handler.
 * @example
 * ```ts
 * fastify.get("/events", sseHandler(bus, { authorize: (request, _sessionId, owner) => request.ip === owner }));
 * ```
 */
export function sseHandler<
  Req extends Pick<FastifyRequest<RouteGenericInterface, any>, "raw"> = FastifyRequest<
    RouteGenericInterface,
    any
  > &
    Record<"params" | "query", any>,
>(
  bus: SessionEventBus,
  options?: SseOptions<Req>,
): (request: Req, reply: FastifyReply<any, any, any, any, any, any>) => Promise<void> {
  const handle = createHandler(bus, options);
  return (request, anyReply) => {
    checkFramework("fastify", request, anyReply);
    const reply = anyReply as FastifyReply;
    if (reply.sent || reply.raw.headersSent) {
      throw new SessionProgressError(
        "headers_sent",
        "The reply was sent or hijacked before sseHandler got it.",
      );
    }
    const exchange = new FastifyExchange(request, reply);
    const answer = (): Promise<void> => handle(exchange);
    const { raw } = reply;
    const decided = inTurn(request.raw, raw, answer);
    return decided.then(() => exchange.sent());
  };
}

class FastifyExchange<Req extends { readonly raw: AnyRequest }> implements Exchange<Req> {
  readonly request: Req;
  readonly method: string;
  readonly url: string;
  readonly #reply: FastifyReply;
  #begun: (() => void) | undefined;

  constructor(request: Req, reply: FastifyReply) {
    this.request = request;
    this.method = request.raw.method ?? "GET";
    this.url = request.raw.url ?? "";
    this.#reply = reply;
  }

  get gone(): boolean {
    return this.#reply.sent || isOver(this.#reply.raw);
  }

  get carrier(): Carrier | undefined {
    return carrierOf(this.request.raw);
  }

  header(name: string): string | undefined {
    const value = this.request.raw.headers[name];
    return Array.isArray(value) ? value[0] : value;
  }

  answer(status: number, headers: AnswerHeaders, body: string): void {
    this.#head(status, headers);
    // Fastify says how long it is.
    if (this.#reply.hasHeader("transfer-encoding")) this.#reply.removeHeader("transfer-encoding");
    // As bytes: to a text Fastify would add a charset.
    this.#reply.send(body === "" || this.method === "HEAD" ? undefined : new TextEncoder().encode(body));
  }

  stream(headers: AnswerHeaders): BytePeer {
    const reply = this.#reply;
    this.#head(200, headers);
    keepOpen(reply.raw);
    const peer = new PipedPeer(reply.raw, () => {
      // Or a `handlerTimeout` would cut the stream.
      reply.hijack();
      this.#begun?.();
    });
    reply.send(peer.stream);
    return peer;
  }

  /**
   * Settles when hooks have let through what was answered. Until then Fastify would send an answer of its own for a
   * handler whose promise has settled.
   */
  sent(): Promise<void> | undefined {
    const { raw } = this.#reply;
    if (isOver(raw) || hasLeft(this.request.raw)) return undefined;
    return new Promise((resolve) => {
      // A response whose turn has not come has no `close`.
      const forget = onLeft(this.request.raw, resolve);
      const decided = (): void => {
        forget();
        resolve();
      };
      this.#begun = decided;
      raw.once("close", decided);
    });
  }

  #head(status: number, headers: AnswerHeaders): void {
    const reply = this.#reply;
    if (forgetBody(reply, reply.raw, status)) reply.header("transfer-encoding", "chunked");
    for (const [name, value] of Object.entries(beside(headers, (one) => reply.getHeader(one)))) {
      if (ADDED.includes(name)) reply.removeHeader(name);
      reply.header(name, value);
    }
    reply.code(status);
  }
}
