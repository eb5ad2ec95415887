import type { SessionEndEvent } from "../protocol/event.ts";
import { entryBytes, eventOf, type LogEntry } from "../log/entry.ts";

/** An end that takes more is stripped when memory is short. */
const BARE_BYTES = 256;

/** Whether an end of so many bytes says more than how it was. */
export function isHeavy(bytes: number): boolean {
  return bytes > BARE_BYTES;
}

/** `entry`, an end, without what takes room: its status and time stay, and it says `cut`. */
export function bareEnd(entry: LogEntry): LogEntry {
  if (!isHeavy(entryBytes(entry))) return entry;
  const { t, status, ts, ...rest } = eventOf(entry) as SessionEndEvent & { readonly run?: string };
  return Object.freeze({ t, ...(rest.run !== undefined && { run: rest.run }), status, ts, cut: true });
}
