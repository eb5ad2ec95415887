import {
  type Close,
  CLOSE_CLOSING,
  CLOSE_ENDED,
  CLOSE_RECONNECT,
  CLOSE_TOO_SLOW,
} from "../../protocol/names.ts";
import { catchRejection } from "../../runtime/diagnostics.ts";
import type { Ticker, Ticking } from "../../runtime/ticker.ts";
import type { EndReason, Peer, PeerListener } from "../peer.ts";
import type { WebSocketLike } from "./web-socket-like.ts";

const CLOSES: Readonly<Record<EndReason, Close>> = {
  ended: CLOSE_ENDED,
  disconnected: CLOSE_RECONNECT,
  closing: CLOSE_CLOSING,
};
const HIGH_WATER_MARK = 65_536;
const DRAIN_POLL_MS = 20;
const NOTHING: readonly string[] = [];

/**
 * A WebSocket as a peer. WebSockets have no drain event, so it is asked every 20 ms while it is full.
 *
 * Bun's drops what exceeds its buffer's limit, which nobody can ask for. Such a socket is handed a message only while
 * little is buffered; what that leaves of a turn waits here.
 */
export class WebSocketPeer implements Peer<readonly string[]>, Ticking {
  listener: PeerListener | undefined;
  /** Only where the socket has pings. */
  ping: (() => void) | undefined;
  readonly #ticker: Ticker;
  readonly #socket: WebSocketLike;
  readonly #tell: (thrown: unknown) => void;
  readonly #mayDrop: boolean;
  /** Messages that wait for room in the socket, at most a turn's burst of them; and their length. */
  #waiting = NOTHING;
  #waitingLength = 0;
  /** Whether to close when those are sent. */
  #isEnding = false;
  #over = false;

  /** `tell` is told what goes wrong later than this can throw it. */
  constructor(ticker: Ticker, socket: WebSocketLike, tell: (thrown: unknown) => void) {
    this.#ticker = ticker;
    this.#tell = tell;
    this.#socket = socket;
    this.#mayDrop = typeof socket.getBufferedAmount === "function";
    if (typeof socket.ping === "function") this.ping = this.#ping;
    socket.addEventListener?.("close", this.left);
    socket.addEventListener?.("error", this.left);
  }

  get pending(): number {
    try {
      return this.#buffered + this.#waitingLength;
    } catch {
      // It takes nothing more; what is asked of it next gives it up.
      return Infinity;
    }
  }

  get #buffered(): number {
    const socket = this.#socket;
    return (this.#mayDrop ? socket.getBufferedAmount?.() : socket.bufferedAmount) ?? 0;
  }

  /** Whether the socket is closing or closed. */
  get isOver(): boolean {
    try {
      return (this.#socket.readyState ?? 1) > 1;
    } catch {
      return true;
    }
  }

  write(messages: readonly string[]): boolean {
    if (this.#waiting.length === 0) return this.#send(messages);
    this.#wait(this.#waiting.concat(messages));
    return false;
  }

  #send(messages: readonly string[]): boolean {
    try {
      for (let index = 0; index < messages.length; index++) {
        if (this.#mayDrop && this.#buffered > HIGH_WATER_MARK) {
          this.#wait(messages.slice(index));
          break;
        }
        if (!this.#took(this.#socket.send(messages[index]!))) return false;
      }
      if (this.#waiting.length === 0 && this.#buffered <= HIGH_WATER_MARK) return true;
    } catch {
      this.#failed();
      return false;
    }
    this.#ticker.join(this, DRAIN_POLL_MS);
    return false;
  }

  #wait(messages: readonly string[]): void {
    this.#waiting = messages;
    this.#waitingLength = messages.reduce((sum, { length }) => sum + length, 0);
  }

  /** Whether the socket took a message. Else it is given up: a client that comes back resumes, a hole would stay. */
  #took(answer: unknown): boolean {
    if (answer === 0 && this.#mayDrop) this.#giveUp(CLOSE_TOO_SLOW);
    else catchRejection(answer, this.#failed);
    return !this.#over;
  }

  readonly #ping = (): void => {
    try {
      catchRejection(this.#socket.ping?.(), this.#failed);
    } catch {
      this.#failed();
    }
  };

  /** Every runtime throws another error when the socket is closing; its `close` may never come. */
  readonly #failed = (): void => {
    this.#giveUp(CLOSE_RECONNECT);
  };

  #giveUp(close: Close): void {
    if (this.#over) return;
    const { isOver } = this;
    this.left();
    if (isOver) return;
    try {
      catchRejection(this.#socket.close(...close), ignore);
    } catch {
      // It was closing.
    }
  }

  tick(): void {
    try {
      this.#drain();
    } catch (thrown) {
      this.#tell(thrown);
      this.#failed();
    }
  }

  #drain(): void {
    if (this.isOver) {
      this.left();
    } else if (this.#buffered <= HIGH_WATER_MARK / 2) {
      const waiting = this.#waiting;
      this.#wait(NOTHING);
      if (!this.#send(waiting)) return;
      this.#ticker.leave(this, DRAIN_POLL_MS);
      if (this.#isEnding) this.#close("ended");
      else this.listener?.onDrain();
    }
  }

  /** What waits is not sent any more, unless the end is in it: the client has not seen it, and resumes before it. */
  end(why: EndReason): void {
    if (why === "ended" && this.#waiting.length > 0) this.#isEnding = true;
    else this.#close(why);
  }

  #close(why: EndReason): void {
    this.left();
    catchRejection(this.#socket.close(...CLOSES[why]), this.#tell);
  }

  destroy(): void {
    this.left();
    try {
      catchRejection(this.#socket.close(...CLOSE_TOO_SLOW), this.#tell);
    } finally {
      catchRejection(this.#socket.terminate?.(), this.#tell);
    }
  }

  /** Nothing is written any more. To be called where the socket cannot tell of its end. */
  readonly left = (): void => {
    if (this.#over) return;
    this.#over = true;
    this.#wait(NOTHING);
    this.#ticker.leave(this, DRAIN_POLL_MS);
    this.listener?.onClose();
  };
}

function ignore(): void {
  // Nothing to do.
}
