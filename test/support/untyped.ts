/** What code without types may pass. */
export function untyped(value: unknown): never {
  return value as never;
}
