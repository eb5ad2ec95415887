/**
 * The next `count` of what `iterable` yields, or all of it until its end; then stops iterating.
 *
 * @example
 * ```ts
 * const [first, second] = await collect(bus.follow(sessionId), 2);
 * ```
 */
export async function collect<T>(
  iterable: AsyncIterable<T>,
  count: number = Number.POSITIVE_INFINITY,
): Promise<T[]> {
  const collected: T[] = [];
  if (count <= 0) return collected;
  for await (const item of iterable) {
    collected.push(item);
    if (collected.length >= count) break;
  }
  return collected;
}
