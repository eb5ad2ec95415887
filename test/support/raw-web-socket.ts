import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
import type { SessionEntry } from "session-progress";
import { eventually } from "./eventually.ts";

const CONTINUATION = 0;
const TEXT = 1;
const CLOSE = 8;
const PING = 9;

/** A WebSocket client over bare TCP: it can stop reading, in every runtime, and sees pings. */
export class RawWebSocket {
  readonly entries: SessionEntry[] = [];
  pings = 0;
  /** Resolves with the code and reason of the close frame; without one with 1006, as browsers say. */
  readonly closed: Promise<[code: number, reason: string]>;
  readonly #socket: Socket;
  #received: Buffer = Buffer.alloc(0);
  #isOpen = false;
  #text = "";
  #close: [code: number, reason: string] = [1006, ""];

  /** @param url `ws://host:port/path` */
  constructor(url: string) {
    const { hostname, port, pathname, search } = new URL(url);
    this.#socket = connect({ host: hostname, port: Number(port) });
    const lines = [
      `GET ${pathname}${search} HTTP/1.1`,
      `Host: ${hostname}:${port}`,
      "Upgrade: websocket",
      "Connection: Upgrade",
      `Sec-WebSocket-Key: ${randomBytes(16).toString("base64")}`,
      "Sec-WebSocket-Version: 13",
    ];
    this.#socket.write(`${lines.join("\r\n")}\r\n\r\n`);
    this.#socket.on("data", (bytes) => this.#receive(bytes));
    this.#socket.on("error", () => {});
    this.closed = new Promise((resolve) => this.#socket.on("close", () => resolve(this.#close)));
  }

  async has(count: number): Promise<SessionEntry[]> {
    await eventually(`${count} messages`, () => this.entries.length >= count);
    return this.entries;
  }

  /** Stops reading: buffers fill up, and then the server notices. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Without a word. */
  leave(): void {
    this.#socket.destroy();
  }

  #receive(bytes: Buffer): void {
    this.#received = Buffer.concat([this.#received, bytes]);
    if (!this.#isOpen) {
      const end = this.#received.indexOf("\r\n\r\n");
      if (end === -1) return;
      this.#isOpen = true;
      this.#received = this.#received.subarray(end + 4);
    }
    for (let frame = this.#nextFrame(); frame !== undefined; frame = this.#nextFrame()) this.#take(...frame);
  }

  #nextFrame(): [opcode: number, payload: Buffer, isLast: boolean] | undefined {
    const bytes = this.#received;
    if (bytes.length < 2) return undefined;
    const short = bytes[1]! & 127;
    const headerLength = short === 126 ? 4 : short === 127 ? 10 : 2;
    if (bytes.length < headerLength) return undefined;
    const length =
      short === 126 ? bytes.readUInt16BE(2) : short === 127 ? Number(bytes.readBigUInt64BE(2)) : short;
    if (bytes.length < headerLength + length) return undefined;
    this.#received = bytes.subarray(headerLength + length);
    return [bytes[0]! & 15, bytes.subarray(headerLength, headerLength + length), (bytes[0]! & 128) !== 0];
  }

  #take(opcode: number, payload: Buffer, isLast: boolean): void {
    if (opcode === TEXT || opcode === CONTINUATION) {
      this.#text += payload.toString();
      if (!isLast) return;
      this.entries.push(JSON.parse(this.#text) as SessionEntry);
      this.#text = "";
    } else if (opcode === PING) {
      this.pings++;
    } else if (opcode === CLOSE && payload.length >= 2) {
      this.#close = [payload.readUInt16BE(0), payload.subarray(2).toString()];
      // A masked close frame without a payload, as the answer that a server waits for.
      this.#socket.end(Buffer.from([128 | CLOSE, 128, 0, 0, 0, 0]));
    }
  }
}
