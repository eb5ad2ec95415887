import { reserveStack } from "../../runtime/stack.ts";
import type { AnswerHeaders } from "../answer-headers.ts";
import type { PeerListener } from "../peer.ts";
import type { BytePeer } from "../sse/event-stream.ts";
import type { Exchange, ExchangeHandler } from "../sse/handler.ts";
import type { SharedBytes } from "../sse/shared-bytes.ts";

/** Makes a response; `body` is `null` where there is none. */
export type Respond = (
  body: string | ReadableStream<Uint8Array> | null,
  status: number,
  headers: AnswerHeaders,
) => Response;

/** A response that no middleware has set headers for. */
export const plainResponse: Respond = (body, status, headers) => {
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

/**
 * The response to `raw`, which the options know as `request`, as `make` makes it; `through` may put something before
 * its sink.
 */
export function respond<Req>(
  handle: ExchangeHandler<Req>,
  request: Req,
  raw: Request,
  make: Respond = plainResponse,
  through: (sink: StreamPeer) => BytePeer = (sink) => sink,
): Promise<Response> {
  reserveStack();
  return new Promise((resolve) => {
    const { signal, method, url, headers } = raw;
    const exchange: Exchange<Req> = {
      request,
      method,
      url,
      header: (name) => headers.get(name) ?? undefined,
      get gone() {
        return signal.aborted;
      },
      answer: (status, answerHeaders, body) => {
        resolve(make(body === "" || method === "HEAD" ? null : body, status, answerHeaders));
      },
      stream: (streamHeaders) => {
        const sink = new StreamPeer(signal);
        resolve(make(sink.body, 200, streamHeaders));
        return through(sink);
      },
    };
    // The client has left without an answer, and nobody will read this one; but a promise must not hang.
    void handle(exchange).then(() => {
      resolve(new Response(null, { status: 499 }));
    });
  });
}

const HIGH_WATER_MARK = 65_536;

/** A `ReadableStream` as a sink: what its consumer pulls makes room, which is back-pressure end to end. */
export class StreamPeer implements BytePeer {
  readonly body: ReadableStream<Uint8Array>;
  /** Told of each chunk that the consumer is about to get. */
  onChunk: ((chunk: Uint8Array) => void) | undefined;
  listener: PeerListener | undefined;
  readonly #signal: AbortSignal;
  #controller!: ReadableStreamDefaultController<Uint8Array>;
  #open = true;
  #full = false;
  #ending = false;

  constructor(signal: AbortSignal) {
    this.#signal = signal;
    this.body = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller;
        },
        pull: () => {
          if (this.#ending) this.#endIfTaken();
          if (!this.#full) return;
          this.#full = false;
          this.listener?.onDrain();
        },
        cancel: () => {
          this.#close();
        },
      },
      { highWaterMark: HIGH_WATER_MARK, size: (chunk) => chunk.byteLength },
    );
    signal.addEventListener("abort", this.#abandon, { once: true });
  }

  get pending(): number {
    return HIGH_WATER_MARK - (this.#controller.desiredSize ?? HIGH_WATER_MARK);
  }

  write({ plain }: SharedBytes): boolean {
    if (!this.#open) return false;
    // A copy: a consumer owns its chunks and may transfer them, and this one is shared with other followers.
    const chunk = new Uint8Array(plain);
    this.onChunk?.(chunk);
    this.#controller.enqueue(chunk);
    const full = (this.#controller.desiredSize ?? 0) <= 0;
    // It stays full until it was pulled: whoever was told so waits for that.
    if (full) this.#full = true;
    return !full;
  }

  /** Ends when the consumer has taken everything: until then the write deadline runs on. */
  end(): void {
    this.#ending = true;
    this.#endIfTaken();
  }

  #endIfTaken(): void {
    if (!this.#open || this.pending > 0) return;
    this.#controller.close();
    this.#close();
  }

  destroy(): void {
    if (!this.#open) return;
    this.#controller.error(new DOMException("The event stream was cut off.", "AbortError"));
    this.#close();
  }

  /** The client has left: nobody is there to be told of an error. */
  readonly #abandon = (): void => {
    if (!this.#open) return;
    this.#controller.close();
    this.#close();
  };

  #close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#signal.removeEventListener("abort", this.#abandon);
    this.listener?.onClose();
  }
}
