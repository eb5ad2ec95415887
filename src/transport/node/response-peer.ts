import type { ServerResponse } from "node:http";
import type { Http2ServerResponse } from "node:http2";
import type { Socket } from "node:net";
import type { PeerListener } from "../peer.ts";
import type { BytePeer } from "../sse/event-stream.ts";
import type { SharedBytes } from "../sse/shared-bytes.ts";
import { chunkedSocket, mayBypass } from "./direct-socket.ts";

export type AnyResponse = ServerResponse | Http2ServerResponse;

export function isHttp2(res: AnyResponse): res is Http2ServerResponse {
  return "stream" in res;
}

/** A response of Node's own as a sink. */
export class ResponsePeer implements BytePeer {
  listener: PeerListener | undefined;
  readonly #res: ServerResponse;
  readonly #http2: Http2ServerResponse["stream"] | undefined;
  #socket: Socket | undefined;
  #writes = 0;

  constructor(res: AnyResponse) {
    this.#res = res as ServerResponse;
    this.#http2 = isHttp2(res) ? res.stream : undefined;
    res.on("drain", this.#drained);
    // `on` where `once` would do: its wrapper costs an idle follower more than the rest of this.
    res.on("close", () => {
      this.#socket?.off("drain", this.#drained);
      this.listener?.onClose();
    });
    // A reset connection; `close` follows.
    res.on("error", ignore);
  }

  get pending(): number {
    return this.#res.writableLength;
  }

  write(bytes: SharedBytes): boolean {
    const { chunked } = bytes;
    // The first write takes the headers along; an idle follower makes no other.
    if (++this.#writes === 2 && this.#http2 === undefined) this.#useSocket();
    if (this.#socket !== undefined && chunked !== undefined && mayBypass(this.#res)) {
      return this.#socket.write(chunked);
    }
    return this.#res.write(bytes.plain);
  }

  #useSocket(): void {
    this.#socket = chunkedSocket(this.#res);
    this.#socket?.on("drain", this.#drained);
  }

  readonly #drained = (): void => {
    this.listener?.onDrain();
  };

  /** Node corks an HTTP/1 response's socket from its first write to the end of the turn. */
  flush(): void {
    if (this.#http2 === undefined) this.#res.socket?.uncork();
  }

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
