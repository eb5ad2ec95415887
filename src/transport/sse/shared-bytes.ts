/**
 * A piece of an event stream, encoded once and shared by all followers at the same position.
 *
 * On Node its bytes lie inside one whole chunk of HTTP/1.1's chunked coding, so that a follower costs no more
 * than one write.
 * @see https://www.rfc-editor.org/rfc/rfc9112#section-7.1
 */
export class StreamBytes {
  /** The text as one chunk; only on Node, and not of a part. */
  readonly chunked: Uint8Array | undefined;
  /** Where the text begins in `chunked`. */
  readonly #start: number = 0;
  #plain: Uint8Array | undefined;
  #blocksEnd: readonly number[] | undefined;

  constructor(text: string | Uint8Array) {
    if (typeof text !== "string") {
      this.#plain = text;
    } else if (node === undefined) {
      this.#plain = encoder.encode(text);
    } else {
      const size = `${node.byteLength(text).toString(16)}\r\n`;
      this.#start = size.length;
      this.chunked = node.from(`${size}${text}\r\n`);
    }
  }

  /** The text as UTF-8. */
  get plain(): Uint8Array {
    return (this.#plain ??= this.chunked?.subarray(this.#start, -2) ?? new Uint8Array());
  }

  /**
   * What follows its first `count` blocks: the same memory, unframed. A copy with a frame of its own would cost
   * whoever comes back more than all that Node does to frame it.
   */
  after(count: number): StreamBytes {
    this.#blocksEnd ??= emptyLines(this.plain);
    return new StreamBytes(this.plain.subarray(this.#blocksEnd[count - 1]));
  }
}

/** Where blocks end: nothing inside one can hold an empty line. */
function emptyLines(bytes: Uint8Array): number[] {
  const ends: number[] = [];
  for (let at = bytes.indexOf(LF); at !== -1; at = bytes.indexOf(LF, at + 1)) {
    if (bytes[at + 1] === LF) ends.push((at += 2));
  }
  return ends;
}

const LF = 0x0a;

interface BufferLike {
  from(text: string): Uint8Array;
  byteLength(text: string): number;
}

const node = (globalThis as { Buffer?: BufferLike }).Buffer;
const encoder = new TextEncoder();
