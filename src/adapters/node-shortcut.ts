import type { ServerResponse } from "node:http";
import type { PeerListener } from "../connection.ts";
import type { ByteSink } from "../sse/event-stream.ts";
import type { StreamBytes } from "../sse/stream-bytes.ts";
import { chunkedSocket } from "./chunked-socket.ts";
import { ResponseSink } from "./response-sink.ts";
import type { StreamSink } from "./web-response.ts";

/** So often it is tried to see where the stream's chunks go. */
const ATTEMPTS = 3;

/**
 * A fetch response on a Node server: past its stream, once it is certain that the stream leads nowhere else.
 *
 * A chunk's way through a `ReadableStream` and its reader costs about as much as the write itself. The shortcut
 * is taken when the server is seen to hand a chunk, the very object, to Node's response: then no middleware
 * stands in between. The stream stays open beside it, its end is the response's. An optimisation that can be
 * deleted.
 */
export class NodeShortcut implements ByteSink {
  readonly #stream: StreamSink;
  readonly #res: ServerResponse;
  #direct: ResponseSink | undefined;
  #attempts = 0;

  constructor(stream: StreamSink, res: ServerResponse) {
    this.#stream = stream;
    this.#res = res;
  }

  get listener(): PeerListener | undefined {
    return this.#stream.listener;
  }

  set listener(listener: PeerListener | undefined) {
    this.#stream.listener = listener;
  }

  get pending(): number {
    return this.#direct?.pending ?? this.#stream.pending;
  }

  write(bytes: StreamBytes): boolean {
    if (this.#direct !== undefined) return this.#direct.write(bytes);
    // Nothing may be on its way already: what goes directly would overtake it.
    const watch = this.#attempts < ATTEMPTS && this.#stream.pending === 0 && chunkedSocket(this.#res);
    return watch ? this.#writeWatched(bytes) : this.#stream.write(bytes);
  }

  flush(): void {
    this.#direct?.flush();
  }

  end(): void {
    this.#stream.end();
  }

  destroy(): void {
    (this.#direct ?? this.#stream).destroy();
  }

  /** The server's read is answered in the next microtask; it then writes, or it never will in this way. */
  #writeWatched(bytes: StreamBytes): boolean {
    this.#attempts++;
    const res = this.#res as { write: (...args: unknown[]) => boolean };
    const { write } = res;
    res.write = (...args) => {
      if (args[0] === this.#stream.last) this.#goDirectly();
      return write.apply(res, args);
    };
    const taken = this.#stream.write(bytes);
    queueMicrotask(() => {
      Reflect.deleteProperty(res, "write");
    });
    return taken;
  }

  #goDirectly(): void {
    this.#direct = new ResponseSink(this.#res);
    this.#direct.listener = {
      onDrain: () => this.#stream.listener?.onDrain(),
      // The stream's consumer hears of it as well, and tells.
      onClose: () => undefined,
    };
  }
}

/** Node's response behind Hono's `env`, where `@hono/node-server` serves over HTTP/1. */
export function nodeResponse(env: unknown): ServerResponse | undefined {
  const outgoing = (env as { outgoing?: Partial<ServerResponse> } | undefined)?.outgoing;
  return typeof outgoing?.writeHead === "function" && "chunkedEncoding" in outgoing
    ? (outgoing as ServerResponse)
    : undefined;
}
