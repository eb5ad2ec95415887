import type { PeerListener } from "../peer.ts";
import type { BytePeer } from "../sse/event-stream.ts";
import type { SharedBytes } from "../sse/shared-bytes.ts";
import { onLeft } from "../node/client-connection.ts";
import type { NodeSide } from "./node-side.ts";

const HIGH_WATER_MARK = 65_536;

/** A `ReadableStream` as a sink: what its consumer pulls makes room, which is back-pressure end to end. */
export class StreamPeer implements BytePeer {
  readonly body: ReadableStream<Uint8Array>;
  /** Told of each chunk that the consumer is about to get. */
  onChunk: ((chunk: Uint8Array) => void) | undefined;
  listener: PeerListener | undefined;
  readonly #signal: AbortSignal;
  readonly #node: NodeSide | undefined;
  readonly #forget: (() => void) | undefined;
  #controller!: ReadableStreamDefaultController<Uint8Array>;
  #open = true;
  #full = false;
  #ending = false;

  /** Its client has left when `signal` says so, or Node's side of the request, if there is one. */
  constructor(signal: AbortSignal, node?: NodeSide) {
    this.#signal = signal;
    this.#node = node;
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
    this.#forget = node && onLeft(node.incoming, this.#abandon);
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

  /** Where there is Node's side of it, that is cut; the server need not be told, which would log it as its error. */
  destroy(): void {
    if (!this.#open) return;
    if (this.#node === undefined) this.#controller.error(cutOff());
    else cut(this.#node);
    this.#abandon();
  }

  /** The client has left: nobody is there to be told of an error. */
  readonly #abandon = (): void => {
    if (!this.#open) return;
    // `null`: it is in error.
    if (this.#controller.desiredSize !== null) this.#controller.close();
    this.#close();
  };

  #close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#signal.removeEventListener("abort", this.#abandon);
    this.#forget?.();
    this.listener?.onClose();
  }
}

function cut({ incoming, outgoing }: NodeSide): void {
  if (outgoing !== undefined) outgoing.destroy();
  else if ("stream" in incoming) incoming.stream.destroy();
  else incoming.socket.destroy();
}

/** What servers take for a client that has left. Without a stack: a client that reads nothing is no fault of anybody's. */
function cutOff(): Error {
  const error = new Error("The event stream was cut off.");
  return Object.assign(error, {
    name: "AbortError",
    code: "ERR_STREAM_PREMATURE_CLOSE",
    stack: `AbortError: ${error.message}`,
  });
}
