import type { ServerResponse } from "node:http";
import type { Http2ServerResponse } from "node:http2";
import type { PeerListener } from "../peer.ts";
import type { BytePeer } from "../sse/event-stream.ts";
import type { SharedBytes } from "../sse/shared-bytes.ts";
import { DirectSocket } from "./direct-socket.ts";

export type AnyResponse = ServerResponse | Http2ServerResponse;

export function isHttp2(res: AnyResponse): res is Http2ServerResponse {
  return "stream" in res;
}

/** A response of Node's own as a sink. */
export class ResponsePeer implements BytePeer {
  listener: PeerListener | undefined;
  readonly #res: ServerResponse;
  readonly #http2: Http2ServerResponse["stream"] | undefined;
  #direct: DirectSocket | undefined;
  #writes = 0;
  #isUncorking = false;

  constructor(res: AnyResponse) {
    this.#res = res as ServerResponse;
    this.#http2 = isHttp2(res) ? res.stream : undefined;
    res.on("drain", this.#drained);
    // `on` where `once` would do: its wrapper costs an idle follower more than the rest of this.
    res.on("close", () => {
      this.#direct?.close();
      this.listener?.onClose();
    });
    // A reset connection; `close` follows.
    res.on("error", ignore);
  }

  /** What went past the response is in its socket alone; whether the response counts that in is not documented. */
  get pending(): number {
    if (this.#http2 !== undefined) return this.#http2.writableLength;
    return Math.max(this.#res.writableLength, this.#res.socket?.writableLength ?? 0);
  }

  write(bytes: SharedBytes): boolean {
    if (this.#http2 !== undefined) return this.#res.write(bytes.plain);
    // The first write takes the headers along, and an idle follower makes no other: it pays for nothing more.
    const { socket } = this.#res;
    if (++this.#writes === 2 && socket) this.#direct = new DirectSocket(this.#res, socket, this.#drained);
    const direct = this.#direct;
    if (direct?.isOpen() === true) return direct.write(bytes);
    const { plain } = bytes;
    return this.#writeAtOnce(plain, direct?.expect(plain.length));
  }

  /**
   * `res.write`, without the corking that it does for the rest of the turn: that joins small writes, and ours are
   * whole. Undoes only what this call has corked, as whoever else corks has a reason.
   */
  #writeAtOnce(plain: Uint8Array, onFlushed: (() => void) | undefined): boolean {
    const res = this.#res;
    const { socket, writableCorked } = res;
    const socketCorked = socket?.writableCorked ?? 0;
    const takesMore = onFlushed === undefined ? res.write(plain) : res.write(plain, onFlushed);
    const isCorked = res.writableCorked > writableCorked;
    if (!isCorked && !((socket?.writableCorked ?? 0) > socketCorked)) return takesMore;
    this.#isUncorking = true;
    if (isCorked) res.uncork();
    else socket?.uncork();
    // `drain` may come now, before the writer was told to wait for it.
    const hasDrained = !this.#isUncorking;
    this.#isUncorking = false;
    return takesMore || hasDrained;
  }

  readonly #drained = (): void => {
    if (this.#isUncorking) this.#isUncorking = false;
    else this.listener?.onDrain();
  };

  end(): void {
    this.#res.end();
  }

  destroy(): void {
    (this.#http2 ?? this.#res).destroy();
  }
}

function ignore(): void {
  // Nothing to do.
}
