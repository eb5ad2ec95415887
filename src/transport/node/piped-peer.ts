import type { Readable, ReadableOptions } from "node:stream";
import type { PeerListener } from "../peer.ts";
import type { BytePeer } from "../sse/event-stream.ts";
import { SharedBytes } from "../sse/shared-bytes.ts";
import { type AnyResponse, ResponsePeer } from "./response-peer.ts";

const HIGH_WATER_MARK = 65_536;

/**
 * A stream for a framework that pipes it into Node's response itself, after hooks of its own, which may take their
 * time and may put something in between.
 *
 * Where it is piped into the response as it is, the stream ends there for the framework, and what follows is written
 * to the response as on plain Node.
 */
export class PipedPeer implements BytePeer {
  readonly stream: Readable;
  readonly #res: AnyResponse;
  listener: PeerListener | undefined;
  #direct: ResponsePeer | undefined;
  #isFull = false;
  #isEnding = false;

  /** `onDirect` is called when the response is ours alone. */
  constructor(res: AnyResponse, onDirect: () => void) {
    this.stream = createReadable({ highWaterMark: HIGH_WATER_MARK, read: this.#drained });
    this.#res = res;
    this.stream.on("close", this.#closed);
    // While hooks think, nobody else listens: it is nothing that may end the process.
    this.stream.on("error", ignore);
    // A hook may fail, and the client may leave while it thinks: then nobody takes the stream.
    res.on("close", () => this.stream.destroy());
    const { stream } = this;
    const pipe = stream.pipe.bind(stream);
    stream.pipe = <T extends NodeJS.WritableStream>(to: T, options?: { end?: boolean }): T => {
      // Where the framework ends the response itself, it sends more after us: trailers. A stream that was cut is answered
      // by the framework too.
      const isOurs = (to as unknown) === res && options?.end !== false && !stream.destroyed;
      if (!isOurs) return pipe(to, options);
      onDirect();
      this.#goDirectly(res);
      return to;
    };
  }

  get pending(): number {
    return this.#direct?.pending ?? this.stream.readableLength;
  }

  write(bytes: SharedBytes): boolean {
    if (this.#direct !== undefined) return this.#direct.write(bytes);
    // A copy: what a framework puts in between may transfer it, and this one is shared with other followers.
    this.#isFull = !this.stream.push(new Uint8Array(bytes.plain));
    return !this.#isFull;
  }

  end(): void {
    this.#isEnding = true;
    if (this.#direct !== undefined) this.#direct.end();
    else this.stream.push(null);
  }

  destroy(): void {
    if (this.#direct !== undefined) this.#direct.destroy();
    else if (this.#res.headersSent) this.#res.destroy();
    else this.stream.destroy(new DOMException("The event stream was cut off.", "AbortError"));
  }

  #goDirectly(res: AnyResponse): void {
    const direct = new ResponsePeer(res);
    direct.listener = { onDrain: () => this.listener?.onDrain(), onClose: () => this.listener?.onClose() };
    this.#direct = direct;
    let takesMore = true;
    // Up to Node 24 one call reads everything, from 26 on one chunk.
    for (let waiting = this.#next(); waiting !== null; waiting = this.#next()) {
      takesMore = direct.write(new SharedBytes(waiting));
    }
    if (this.#isEnding) {
      direct.end();
    } else {
      this.stream.push(null);
      if (this.#isFull && takesMore) this.listener?.onDrain();
    }
    this.stream.resume();
  }

  #next(): Uint8Array | null {
    return this.stream.read() as Uint8Array | null;
  }

  readonly #drained = (): void => {
    if (!this.#isFull || this.#direct !== undefined) return;
    this.#isFull = false;
    this.listener?.onDrain();
  };

  readonly #closed = (): void => {
    if (this.#direct === undefined) this.listener?.onClose();
  };
}

function ignore(): void {
  // Nothing to do.
}

/** A package is loaded where it is not used, and `node:` modules are not there then. */
function createReadable(options: ReadableOptions): Readable {
  const { process } = globalThis as unknown as {
    process: {
      getBuiltinModule(id: "node:stream"): { Readable: new (options: ReadableOptions) => Readable };
    };
  };
  return new (process.getBuiltinModule("node:stream").Readable)(options);
}
