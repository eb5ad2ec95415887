import type { Peer, Wire } from "../connection.ts";
import { RESET } from "../../bus/iterate.ts";
import { encodeComment, encodeEvent } from "../../protocol/encode.ts";
import { StreamBytes } from "./shared-bytes.ts";

/** Where an event stream's bytes go. */
export type ByteSink = Peer<StreamBytes>;

const KEEP_ALIVE = new StreamBytes(encodeComment("keep-alive"));

/** Connections speak text/event-stream: PROTOCOL.md, "The wire". */
export function eventStreamWire(settings: { keepAliveMs: number; retryMs: number }): Wire<StreamBytes> {
  const { keepAliveMs, retryMs } = settings;
  return {
    ready(session, position, resume) {
      const id = session.idAt(position);
      const ready = JSON.stringify({ t: "ready", resume, keepAliveMs });
      let text = encodeEvent({ retry: jittered(retryMs) }) + encodeEvent({ id, event: "ready", data: ready });
      if (resume === "reset") text += encodeEvent({ id, event: "gap", data: JSON.stringify(RESET) });
      return new StreamBytes(text);
    },
    after: ({ frames }, position, admit) =>
      admit === undefined ? frames.after(position) : frames.withheld(position, admit),
    prepare: ({ frames }, position) => void frames.after(position),
    keepAlive: KEEP_ALIVE,
    closing: () => new StreamBytes(encodeClosing(retryMs)),
  };
}

/** The last words of a closing process: its clients come back spread over a while, not all at once. */
export function encodeClosing(retryMs: number): string {
  return encodeEvent({ retry: Math.round(retryMs * (1 + Math.random())) });
}

function jittered(ms: number): number {
  return Math.round(ms * (0.9 + Math.random() * 0.2));
}
