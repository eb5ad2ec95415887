import { jsonOf } from "../../log/entry.ts";
import { entryId } from "../../protocol/entry-id.ts";
import { utf8Length } from "../../report/event-size.ts";
import type { Format } from "../format.ts";

/** What of the format is the same for every connection, so that all followers of a session share its batches. */
const JSON_MESSAGES: Omit<Format<readonly string[]>, "ready"> = {
  encode: (epoch, { position, entry }) => `{"id":"${entryId(epoch, position)}","event":${jsonOf(entry)}}`,
  sizeOf: utf8Length,
  join: (frames) => frames,
  rest: (messages, count) => messages.slice(count),
  // Like every other message: a client that takes `id` and `event.t` from each keeps its place, and knows no such `t`.
  keepAlive: ({ id }) => [JSON.stringify({ id, event: { t: "ping" } })],
};

/** The key under which they share. */
export const JSON_MESSAGES_KEY: object = JSON_MESSAGES;

/**
 * Connections speak JSON messages, many to a write: PROTOCOL.md, "WebSocket". `keepAliveMs` is announced where the
 * keep-alive is a message: pages do not see pings, and would take a healthy connection for dead.
 */
export function jsonMessages(keepAliveMs: number | undefined): Format<readonly string[]> {
  return {
    ...JSON_MESSAGES,
    ready: ({ id, resume }) => [JSON.stringify({ id, event: { t: "ready", resume, keepAliveMs } })],
  };
}
