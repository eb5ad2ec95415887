/** The epoch of a session that nobody has opened yet. */
export const NO_EPOCH = "0";

const ENTRY_ID = /^(\d{1,20})-(\d{1,15})$/;

/** A position as the wire carries it: `<epoch>-<n>`. */
export function entryId(epoch: string, position: number): string {
  return `${epoch}-${position}`;
}

/** The parts of an id; `undefined` when it is malformed. */
export function parseEntryId(id: string): { epoch: string; position: number } | undefined {
  const [, epoch, digits] = ENTRY_ID.exec(id) ?? [];
  return epoch === undefined ? undefined : { epoch, position: Number(digits) };
}
