/** What a WebSocket needs: `ws`, Bun, Deno, Cloudflare and Hono's helper all have it. */
export interface WebSocketLike {
  /**
   * Sends one text message. A throw or a rejected promise means that it was not sent, as does 0 where there is
   * `getBufferedAmount`.
   */
  send(message: string): unknown;
  /** Begins to close the connection. */
  close(code?: number, reason?: string): unknown;
  /** Bytes that `send` took and have not left the process. Without it and the next there is no back-pressure. */
  readonly bufferedAmount?: number | undefined;
  /** The same of a socket that drops messages when its buffer is full: Bun's. */
  getBufferedAmount?(): number;
  /** 2 and 3 mean that it is over. */
  readonly readyState?: number | undefined;
  /** Tells of its end; where it is missing, call what `followOverWebSocket` returns. */
  addEventListener?(type: "close" | "error", listener: () => void): unknown;
  /** Sends a ping, the keep-alive of WebSockets. Without it a message is sent. */
  ping?(): unknown;
  /** Cuts the connection, where there is such a thing. */
  terminate?(): unknown;
  /** The socket that this one wraps, where it does: it is used instead, as it can do more. Hono's helper has it. */
  readonly raw?: unknown;
}

/** `socket`, or what it wraps: a wrapper hides back-pressure, and that messages were dropped. */
export function unwrapped(socket: WebSocketLike): WebSocketLike {
  const raw = (socket.raw ?? {}) as Partial<WebSocketLike>;
  return typeof raw.send === "function" && typeof raw.close === "function" ? (raw as WebSocketLike) : socket;
}
