import { once } from "node:events";
import { connect, type Socket } from "node:net";

/** A TCP connection that says exactly what it is told to: HTTP as clients should not speak it. */
export class RawClient {
  received = "";
  readonly socket: Socket;
  /** Resolves when nothing is left of the connection, however it ended. */
  readonly closed: Promise<void>;
  #isClosed = false;
  #wake: () => void = () => {};

  static async connect(port: number): Promise<RawClient> {
    const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    await once(socket, "connect");
    return new RawClient(socket);
  }

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.setEncoding("utf8");
    socket.on("data", (text: string) => {
      this.received += text;
      this.#wake();
    });
    socket.on("error", () => {});
    // The server's end of it is the end of ours, but not the other way round.
    socket.on("end", () => socket.end());
    this.closed = new Promise((resolve) => {
      socket.on("close", () => {
        this.#isClosed = true;
        this.#wake();
        resolve();
      });
    });
  }

  send(text: string): this {
    this.socket.write(text);
    return this;
  }

  /** A well-formed request. */
  get(path: string, headers: Readonly<Record<string, string>> = {}, method = "GET"): this {
    const lines = Object.entries({ Host: "localhost", ...headers }).map(
      ([name, value]) => `${name}: ${value}`,
    );
    return this.send(`${method} ${path} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`);
  }

  /** Resolves when what was received matches. */
  async until(wanted: string | RegExp): Promise<string> {
    for (;;) {
      const { received } = this;
      if (typeof wanted === "string" ? received.includes(wanted) : wanted.test(received)) return received;
      if (this.#isClosed) throw new Error(`closed without ${String(wanted)} after:\n${received}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Sends FIN and goes on reading. */
  halfClose(): void {
    this.socket.end();
  }

  /** Sends RST. */
  reset(): void {
    this.socket.resetAndDestroy();
  }

  close(): void {
    this.socket.destroy();
  }
}
