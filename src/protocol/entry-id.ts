/** The epoch of a session that nobody has opened yet. */
export const NO_EPOCH = "0";

/** A position as the wire carries it: `<epoch>-<n>`. */
export function entryId(epoch: string, position: number): string {
  return `${epoch}-${position}`;
}

/**
 * The parts of an id; `undefined` when it is malformed: up to 20 digits, `-`, up to 15 digits.
 *
 * Without a regular expression, as session ids are checked: subscribing may meet the stack's end.
 */
export function parseEntryId(id: string): { epoch: string; position: number } | undefined {
  const dash = id.indexOf("-");
  if (!isDigits(id, 0, dash, 20) || !isDigits(id, dash + 1, id.length, 15)) return undefined;
  return { epoch: id.slice(0, dash), position: Number(id.slice(dash + 1)) };
}

function isDigits(text: string, from: number, to: number, most: number): boolean {
  if (to <= from || to - from > most) return false;
  for (let at = from; at < to; at++) {
    const code = text.charCodeAt(at);
    if (code < 0x30 || code > 0x39) return false;
  }
  return true;
}
