/** A map that holds so many bytes at most, unless one value is larger: what exceeds them drives out all the rest. */
export class Remembered<K, V> {
  bytes = 0;
  readonly #maxBytes: number;
  readonly #values = new Map<K, V>();

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get(key: K): V | undefined {
    return this.#values.get(key);
  }

  /** Remembers `value`, which takes `bytes`. Returns how `bytes` of all has changed. */
  set(key: K, value: V, bytes: number): number {
    const before = this.bytes;
    if (before + bytes > this.#maxBytes) {
      this.#values.clear();
      this.bytes = 0;
    }
    this.#values.set(key, value);
    this.bytes += bytes;
    return this.bytes - before;
  }
}
