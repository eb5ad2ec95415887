import type { Cursor } from "../../log/cursor.ts";
import { jsonOf } from "../../log/entry.ts";
import { encodeComment, encodeEvent } from "../../protocol/encode.ts";
import { entryId } from "../../protocol/entry-id.ts";
import { EVENT_NAMES } from "../../protocol/names.ts";
import { utf8Length } from "../../report/event-size.ts";
import type { Format } from "../format.ts";
import type { Peer } from "../peer.ts";
import { SharedBytes } from "./shared-bytes.ts";

/** Where an event stream's bytes go. */
export type BytePeer = Peer<SharedBytes>;

/** What of text/event-stream is the same for every handler, so that all followers of a session share its batches. */
const EVENT_STREAM: Pick<Format<SharedBytes>, "encode" | "sizeOf" | "join" | "rest" | "keepAlive"> = {
  // As the encoder would, without its checks: id and name are ours, and JSON has no line breaks.
  encode: (epoch, { position, entry }) =>
    `id: ${entryId(epoch, position)}\nevent: ${EVENT_NAMES[entry.t]}\ndata: ${jsonOf(entry)}\n\n`,
  sizeOf: utf8Length,
  join: (frames, size) => new SharedBytes(frames.length === 1 ? frames[0]! : frames.join(""), size),
  rest: (payload, _count, offset) => payload.after(offset),
  // One for all, made late: loading needs no encoder, and each small buffer keeps the whole of its pool alive.
  keepAlive: () => (keepAlive ??= new SharedBytes(encodeComment("keep-alive"))),
};

let keepAlive: SharedBytes | undefined;

/** The key under which followers of any handler share what is encoded. */
export const EVENT_STREAM_KEY: object = EVENT_STREAM;

/** Connections speak text/event-stream: PROTOCOL.md, "The wire". */
export function eventStreamFormat(settings: { keepAliveMs: number; retryMs: number }): Format<SharedBytes> {
  const { keepAliveMs, retryMs } = settings;
  return {
    ...EVENT_STREAM,
    ready: ({ id, resume }: Cursor) => {
      const data = JSON.stringify({ t: "ready", resume, keepAliveMs });
      // One block: a client that hands on every block would get an empty message for `retry` alone.
      return new SharedBytes(encodeEvent({ retry: jittered(retryMs), id, event: "ready", data }));
    },
    closing: () => new SharedBytes(encodeClosing(retryMs)),
  };
}

/** The last words of a closing process: its clients come back spread over a while, not all at once. */
export function encodeClosing(retryMs: number): string {
  return encodeEvent({ retry: Math.round(retryMs * (1 + Math.random())) });
}

function jittered(ms: number): number {
  return Math.round(ms * (0.9 + Math.random() * 0.2));
}
