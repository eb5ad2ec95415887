/**
 * Where an event stream's bytes go: the one seam that adapters fill.
 *
 * Its methods do not throw because the client has left; `onClose` is the only sign of that.
 */
export interface ByteSink {
  /** Hands bytes on. `false`: the peer takes no more for now, wait for `onDrain`. */
  write(bytes: Uint8Array): boolean;
  /** Bytes that were written and have not left the process. */
  readonly pending: number;
  /** Pushes out what the runtime holds back until the end of the turn. */
  flush?(): void;
  /** Ends the response after what was written; `onClose` follows. */
  end(): void;
  /** Cuts the connection; `onClose` follows. */
  destroy(): void;
  /** Set by the stream: called when the peer takes bytes again. */
  onDrain: () => void;
  /** Set by the stream: called once, when nothing more can be written or all was. */
  onClose: () => void;
}
