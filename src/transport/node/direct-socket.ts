import type * as http from "node:http";
import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type * as vm from "node:vm";
import type { SharedBytes } from "../sse/shared-bytes.ts";

/**
 * The way to a response's socket past the response: all followers then share one buffer that is framed already,
 * and Node does not write four pieces for each. An optimisation that can be deleted.
 *
 * It rests on what Node documents and on what this very response has shown. The way opens when the callback of each
 * write to the response was called (all of it has gone out, nothing can be overtaken) and those writes sent exactly
 * the bytes of our HTTP chunks (the response sends chunks, and nobody changes them). From then on everything goes
 * this way, so that there is only one, unless
 *
 * - `res.write` is not Node's own: somebody watches what is written. Then the way is closed for good.
 * - response or socket was ended: what follows the last chunk would begin the next response.
 */
export class DirectSocket {
  readonly #res: ServerResponse;
  readonly #socket: Socket;
  readonly #onDrain: () => void;
  /** Writes to the response whose callback was not called. */
  #unconfirmed = 0;
  /** What the socket's `bytesWritten` becomes if each of them sends one chunk. */
  #expected = 0;
  #sendsChunks = false;
  #isWatched = false;

  /** `onDrain` is called when the socket drains; the response's own `drain` is left to the caller. */
  constructor(res: ServerResponse, socket: Socket, onDrain: () => void) {
    this.#res = res;
    this.#socket = socket;
    this.#onDrain = onDrain;
  }

  /** Ask before each write. */
  isOpen(): boolean {
    if (!isNodesWrite(this.#res)) this.#isWatched = true;
    return this.#sendsChunks && !this.#isWatched && this.#socket.writable && !this.#res.writableEnded;
  }

  /** While the way is open. `false`: wait for `onDrain`. */
  write({ chunked, plain }: SharedBytes): boolean {
    const socket = this.#socket;
    if (chunked !== undefined) return socket.write(chunked);
    socket.cork();
    socket.write(`${plain.length.toString(16)}\r\n`, "latin1");
    socket.write(plain);
    const takesMore = socket.write("\r\n", "latin1");
    socket.uncork();
    return takesMore;
  }

  /** While it is not, call this before each write to the response, and give that what this returns as callback. */
  expect(length: number): ((error?: Error | null) => void) | undefined {
    // Many a wrapper would take a callback for the encoding.
    if (this.#isWatched) return undefined;
    if (this.#unconfirmed++ === 0) this.#expected = this.#socket.bytesWritten;
    this.#expected += length.toString(16).length + length + 4;
    return this.#confirm;
  }

  /** Leaves nothing on the socket, which outlives the response. */
  close(): void {
    this.#socket.off("drain", this.#onDrain);
  }

  readonly #confirm = (error?: Error | null): void => {
    // What failed was not sent, and what is not sent is never confirmed.
    if (error) return;
    if (--this.#unconfirmed > 0 || this.#sendsChunks) return;
    if (this.#socket.bytesWritten !== this.#expected) return;
    this.#sendsChunks = true;
    this.#socket.on("drain", this.#onDrain);
  };
}

/** Whether `res.write` is Node's own, that is: not replaced on the response, on its class, or on Node's. */
export function isNodesWrite(res: { write?: unknown }): boolean {
  nodesWrite ??= findNodesWrite();
  return res.write === nodesWrite;
}

/** Equal to nothing where it is not known. */
let nodesWrite: unknown;

/** Not looked up at load: Hono's adapter loads this wherever it runs. */
function findNodesWrite(): unknown {
  const { process } = globalThis as { process?: { getBuiltinModule?(id: string): unknown } };
  try {
    const { OutgoingMessage } = process?.getBuiltinModule?.("node:http") as typeof http;
    const { write } = OutgoingMessage.prototype as { write: unknown };
    // Another realm's `toString`: instrumentation replaces this one's to hide what it has wrapped.
    const { runInNewContext } = process?.getBuiltinModule?.("node:vm") as typeof vm;
    const toString = runInNewContext("Function.prototype.toString") as () => string;
    return toString.call(write).replace(/\s+/g, " ") === NODES_WRITE ? write : NaN;
  } catch {
    return NaN;
  }
}

/**
 * Node's own `write` in every release from 20 to 26. Whoever wraps it, however early, has another text; so may a
 * later Node, and then every write goes through the response.
 */
const NODES_WRITE =
  "function write(chunk, encoding, callback) { " +
  "if (typeof encoding === 'function') { callback = encoding; encoding = null; } " +
  "const ret = write_(this, chunk, encoding, callback, false); " +
  "if (!ret) this[kNeedDrain] = true; return ret; }";
