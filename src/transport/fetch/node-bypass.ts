import type { ServerResponse } from "node:http";
import type { PeerListener } from "../peer.ts";
import type { BytePeer } from "../sse/event-stream.ts";
import type { SharedBytes } from "../sse/shared-bytes.ts";
import { isNodesWrite } from "../node/direct-socket.ts";
import { type AnyResponse, ResponsePeer } from "../node/response-peer.ts";
import type { StreamPeer } from "./stream-peer.ts";

/** How many chunks are watched on their way before it is given up. */
const ATTEMPTS = 3;

/**
 * A fetch response on a Node server: past its stream, once it is certain that the stream leads nowhere else. A
 * chunk's way through a `ReadableStream` and its reader costs about as much as the write itself. An optimisation
 * that can be deleted.
 *
 * The shortcut is taken when somebody who reads the stream with a reader of its own has handed a chunk, the very
 * object and the last one there is, to Node's response, in the microtask that answers its read. Whoever passes a
 * chunk on to another reader needs one more: that is in the standards (promises, streams), not in a runtime. So no
 * middleware stands in between. The stream stays open beside the shortcut, because its end is the response's.
 */
export class NodeBypass implements BytePeer {
  listener: PeerListener | undefined;
  readonly #stream: StreamPeer;
  readonly #res: ServerResponse;
  readonly #own: PeerListener;
  #direct: ResponsePeer | undefined;
  /** Whether somebody reads the stream with a reader of its own; what pipes it takes none that can be seen. */
  #isRead = false;
  #attempts = 0;

  constructor(stream: StreamPeer, res: ServerResponse) {
    this.#stream = stream;
    this.#res = res;
    const onDrain = (): void => this.listener?.onDrain();
    const onClose = (): void => this.listener?.onClose();
    stream.listener = {
      onDrain,
      onClose: () => {
        // What went directly may still be on its way.
        if (this.#direct === undefined) onClose();
      },
    };
    this.#own = { onDrain, onClose };
    const { body } = stream;
    const getReader = body.getReader.bind(body) as () => ReadableStreamDefaultReader<Uint8Array>;
    body.getReader = ((...options: []) => {
      this.#isRead = true;
      return getReader(...options);
    }) as typeof body.getReader;
  }

  get pending(): number {
    return this.#direct?.pending ?? this.#stream.pending;
  }

  write(bytes: SharedBytes): boolean {
    if (this.#direct !== undefined) return this.#direct.write(bytes);
    // With chunks before it in the stream, this one cannot be seen to arrive: that would waste an attempt.
    const isIdle = this.#isRead && this.#stream.pending === 0;
    const isWatchable = isIdle && this.#attempts < ATTEMPTS && isNodesWrite(this.#res);
    return isWatchable ? this.#writeWatched(bytes) : this.#stream.write(bytes);
  }

  end(): void {
    this.#stream.end();
  }

  destroy(): void {
    (this.#direct ?? this.#stream).destroy();
  }

  /** The server's read is answered in the next microtask; it then writes, or it never will in this way. */
  #writeWatched(bytes: SharedBytes): boolean {
    this.#attempts++;
    const stream = this.#stream;
    const res = this.#res as { write: (...args: unknown[]) => boolean };
    const { write } = res;
    let last: Uint8Array | undefined;
    stream.onChunk = (chunk) => {
      last = chunk;
    };
    const watching = (...args: unknown[]): boolean => {
      if (args[0] === last) this.#goDirectly();
      return write.apply(res, args);
    };
    res.write = watching;
    try {
      return stream.write(bytes);
    } finally {
      queueMicrotask(() => {
        stream.onChunk = undefined;
        // Unless somebody has wrapped it meanwhile.
        if (res.write === watching) Reflect.deleteProperty(res, "write");
      });
    }
  }

  #goDirectly(): void {
    this.#direct = new ResponsePeer(this.#res);
    this.#direct.listener = this.#own;
  }
}

/** `outgoing`, where that is HTTP/1 and nobody watches what is written to it. */
export function bypassable(outgoing: AnyResponse | undefined): ServerResponse | undefined {
  return outgoing !== undefined && isNodesWrite(outgoing) ? (outgoing as ServerResponse) : undefined;
}
