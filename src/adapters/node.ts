import type { IncomingMessage, ServerResponse } from "node:http";
import type { SessionEventBus } from "../bus.ts";
import { SessionProgressError } from "../errors.ts";
import type { ByteSink } from "../sse/event-stream.ts";
import { createHandler, type Exchange, type SseOptions } from "../sse/handler.ts";

export type { Refusal, SseOptions } from "../sse/handler.ts";

/**
 * Answers `GET /events?session_id=…` as an event stream, on a plain Node server or anything with its `req`
 * and `res`.
 *
 * Every answer is its own, refusals included, so mount it where nothing else answers.
 * @throws {TypeError} If `bus` is no event bus or an option is malformed.
 * @throws {SessionProgressError} `headers_sent`, from the returned handler.
 * @example
 * ```ts
 * const events = sseHandler(bus);
 * createServer((req, res) => (req.url?.startsWith("/events") ? events(req, res) : res.writeHead(404).end()));
 * ```
 */
export function sseHandler<Req extends IncomingMessage = IncomingMessage>(
  bus: SessionEventBus,
  options?: SseOptions<Req>,
): (req: Req, res: ServerResponse) => void {
  const handle = createHandler(bus, options);
  return (req, res) => {
    if (res.headersSent) {
      throw new SessionProgressError(
        "headers_sent",
        "The response's headers were sent before sseHandler got it.",
      );
    }
    void handle(new NodeExchange(req, res));
  };
}

class NodeExchange<Req extends IncomingMessage> implements Exchange<Req> {
  readonly request: Req;
  readonly method: string;
  readonly url: string;
  readonly isHttp1: boolean;
  readonly #res: ServerResponse;

  constructor(req: Req, res: ServerResponse) {
    this.request = req;
    this.method = req.method ?? "GET";
    this.url = req.url ?? "";
    this.isHttp1 = req.httpVersionMajor < 2;
    this.#res = res;
  }

  /** Not `req.destroyed`: a request whose body was parsed is over, its client is not gone. */
  get gone(): boolean {
    const res = this.#res;
    return res.destroyed || res.closed || res.headersSent || res.socket?.destroyed === true;
  }

  header(name: string): string | undefined {
    const value = this.request.headers[name];
    return Array.isArray(value) ? value[0] : value;
  }

  answer(status: number, headers: Record<string, string>, body: string): void {
    this.#res.writeHead(status, headers);
    this.#res.end(body);
  }

  stream(headers: Record<string, string>): ByteSink {
    const res = this.#res;
    // Frameworks and servers may have set an idle timeout; keep-alive and the write deadline replace it.
    res.socket?.setTimeout(0);
    res.socket?.setNoDelay(true);
    res.writeHead(200, headers);
    return new ResponseSink(res);
  }
}

class ResponseSink implements ByteSink {
  onDrain = (): void => undefined;
  onClose = (): void => undefined;
  readonly #res: ServerResponse;

  constructor(res: ServerResponse) {
    this.#res = res;
    res.on("drain", () => {
      this.onDrain();
    });
    res.once("close", () => {
      this.onClose();
    });
    // A reset connection; `close` follows.
    res.on("error", () => undefined);
  }

  get pending(): number {
    return this.#res.writableLength;
  }

  write(bytes: Uint8Array): boolean {
    return this.#res.write(bytes);
  }

  /** Node corks a response's socket from its first write to the end of the turn. */
  flush(): void {
    this.#res.socket?.uncork();
  }

  end(): void {
    this.#res.end();
  }

  destroy(): void {
    this.#res.destroy();
  }
}
