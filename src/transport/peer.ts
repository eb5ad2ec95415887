/**
 * The other end of a connection: the one seam that transports fill. `P` is what it takes: bytes, messages.
 *
 * Its methods do not throw because the peer has left; its listener's `onClose` is the only sign of that.
 */
export interface Peer<P> {
  /** Hands `payload` on. `false`: it takes no more for now, wait for `onDrain`. */
  write(payload: P): boolean;
  /** Bytes that were written and have not left the process. */
  readonly pending: number;
  /** Pushes out what the runtime holds back until the end of the turn. */
  flush?(): void;
  /** Shows that the connection is alive, where the transport has a way of its own. */
  readonly ping?: (() => void) | undefined;
  /** Ends the connection after what was written; `onClose` follows. */
  end(why: EndReason): void;
  /** Cuts the connection; `onClose` follows. */
  destroy(): void;
  /** Set by the connection: whom to tell. */
  listener: PeerListener | undefined;
}

/** What a peer tells. */
export interface PeerListener {
  /** The peer takes more again. */
  onDrain(): void;
  /** Nothing more can be written, or all was; called once. */
  onClose(): void;
}

/** Why a connection ends: its session did, the follower is to come back, or the bus closes. */
export type EndReason = "ended" | "disconnected" | "closing";
