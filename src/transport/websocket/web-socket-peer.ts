import {
  type Close,
  CLOSE_CLOSING,
  CLOSE_ENDED,
  CLOSE_RECONNECT,
  CLOSE_TOO_SLOW,
} from "../../protocol/names.ts";
import type { Ticker, Ticking } from "../../runtime/ticker.ts";
import type { EndReason, Peer, PeerListener } from "../peer.ts";

/** What a WebSocket needs: `ws`, Bun, Deno, Cloudflare and Hono's helper all have it. */
export interface WebSocketLike {
  /** Sends one text message. */
  send(message: string): unknown;
  /** Begins to close the connection. */
  close(code?: number, reason?: string): unknown;
  /** Bytes that `send` took and have not left the process. Where it is missing there is no back-pressure. */
  readonly bufferedAmount?: number | undefined;
  /** 2 and 3 mean that it is over. */
  readonly readyState?: number | undefined;
  /** Tells of its end; where it is missing, call what `followOverWebSocket` returns. */
  addEventListener?(type: "close" | "error", listener: () => void): unknown;
  /** Cuts the connection, where there is such a thing. */
  terminate?(): unknown;
}

const CLOSES: Readonly<Record<EndReason, Close>> = {
  ended: CLOSE_ENDED,
  disconnected: CLOSE_RECONNECT,
  closing: CLOSE_CLOSING,
};
const HIGH_WATER_MARK = 65_536;
const DRAIN_POLL_MS = 20;

/** A WebSocket as a peer. WebSockets have no drain event, so it is asked every 20 ms while it is full. */
export class WebSocketPeer implements Peer<readonly string[]>, Ticking {
  listener: PeerListener | undefined;
  readonly #ticker: Ticker;
  readonly #socket: WebSocketLike;
  #over = false;

  constructor(ticker: Ticker, socket: WebSocketLike) {
    this.#ticker = ticker;
    this.#socket = socket;
    socket.addEventListener?.("close", this.left);
    socket.addEventListener?.("error", this.left);
  }

  get pending(): number {
    return this.#socket.bufferedAmount ?? 0;
  }

  /** Whether the socket is closing or closed. */
  get isOver(): boolean {
    return (this.#socket.readyState ?? 1) > 1;
  }

  write(messages: readonly string[]): boolean {
    try {
      for (const message of messages) this.#socket.send(message);
    } catch {
      // Every runtime throws another error when the socket is closing; its `close` may never come.
      this.left();
      return false;
    }
    if (this.pending <= HIGH_WATER_MARK) return true;
    this.#ticker.join(this, DRAIN_POLL_MS);
    return false;
  }

  tick(): void {
    if (this.isOver) this.left();
    else if (this.pending <= HIGH_WATER_MARK / 2) {
      this.#ticker.leave(this, DRAIN_POLL_MS);
      this.listener?.onDrain();
    }
  }

  end(why: EndReason): void {
    this.left();
    this.#socket.close(...CLOSES[why]);
  }

  destroy(): void {
    this.left();
    this.#socket.close(...CLOSE_TOO_SLOW);
    this.#socket.terminate?.();
  }

  /** Nothing is written any more. To be called where the socket cannot tell of its end. */
  readonly left = (): void => {
    if (this.#over) return;
    this.#over = true;
    this.#ticker.leave(this, DRAIN_POLL_MS);
    this.listener?.onClose();
  };
}
