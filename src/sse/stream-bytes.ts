/** A piece of an event stream, encoded once and shared by all followers at the same position. */
export interface StreamBytes {
  /** The text as UTF-8. */
  readonly plain: Uint8Array;
  /**
   * The same as one whole chunk of HTTP/1.1's chunked coding; `plain` lies inside it. Only on Node.
   *
   * @see https://www.rfc-editor.org/rfc/rfc9112#section-7.1
   */
  readonly chunked: Uint8Array | undefined;
}

interface BufferLike {
  from(text: string): Uint8Array;
  byteLength(text: string): number;
}

const node = (globalThis as { Buffer?: BufferLike }).Buffer;
const encoder = new TextEncoder();

/** Encodes `text`. With the chunk's frame around it in the same buffer: a follower costs no more than one write. */
export function encodeBytes(text: string): StreamBytes {
  if (node === undefined) return { plain: encoder.encode(text), chunked: undefined };
  const length = node.byteLength(text);
  const size = `${length.toString(16)}\r\n`;
  const chunked = node.from(`${size}${text}\r\n`);
  return { plain: chunked.subarray(size.length, size.length + length), chunked };
}
