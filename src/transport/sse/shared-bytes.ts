/**
 * A piece of an event stream, encoded once and shared by all followers at the same position.
 *
 * On Node its bytes lie inside one whole chunk of HTTP/1.1's chunked coding, so that a follower costs no more
 * than one write.
 * @see https://www.rfc-editor.org/rfc/rfc9112#section-7.1
 */
export class SharedBytes {
  /** The text as one chunk; only on Node, and not of a part. */
  readonly chunked: Uint8Array | undefined;
  /** Where the text begins in `chunked`. */
  readonly #start: number = 0;
  #plain: Uint8Array | undefined;

  /** `size` is that of `text` in bytes, if it is known. */
  constructor(text: string | Uint8Array, size?: number) {
    if (typeof text !== "string") {
      this.#plain = text;
    } else if (node === undefined) {
      this.#plain = new TextEncoder().encode(text);
    } else {
      const line = `${(size ?? node.byteLength(text)).toString(16)}\r\n`;
      this.#start = line.length;
      this.chunked = node.from(`${line}${text}\r\n`);
    }
  }

  /** The text as UTF-8. */
  get plain(): Uint8Array {
    return (this.#plain ??= this.chunked?.subarray(this.#start, -2) ?? new Uint8Array());
  }

  /**
   * What follows its first `offset` bytes: the same memory, unframed. A copy with a frame of its own would cost
   * whoever comes back more than all that Node does to frame it.
   */
  after(offset: number): SharedBytes {
    return new SharedBytes(this.plain.subarray(offset));
  }
}

interface BufferLike {
  from(text: string): Uint8Array;
  byteLength(text: string): number;
}

const node = (globalThis as { Buffer?: BufferLike }).Buffer;
