import type { Cursor } from "../../log/cursor.ts";
import { jsonOf } from "../../log/entry.ts";
import { entryId } from "../../protocol/entry-id.ts";
import { utf8Length } from "../../report/event-size.ts";
import type { Format } from "../format.ts";

/** Connections speak JSON messages, many to a write: PROTOCOL.md, "WebSocket". */
export const jsonMessages: Format<readonly string[]> = {
  encode: (epoch, { position, entry }) => `{"id":"${entryId(epoch, position)}","event":${jsonOf(entry)}}`,
  sizeOf: utf8Length,
  join: (frames) => frames,
  rest: (messages, count) => messages.slice(count),
  ready: ({ id, resume }: Cursor) => [JSON.stringify({ id, event: { t: "ready", resume } })],
};
