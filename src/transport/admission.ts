import type { Hub } from "../bus/hub.ts";
import type { Session } from "../bus/session.ts";
import { resumeAt, type Start } from "../log/cursor.ts";
import type { AgentEvent } from "../protocol/event.ts";
import { catchRejection } from "../runtime/diagnostics.ts";
import { mismatch } from "../runtime/errors.ts";
import type { Admit } from "./shared-batches.ts";

/**
 * What becomes of somebody who wants to follow.
 *
 * - `closing`: the bus closes; another process will answer.
 * - `unknown`: nobody has opened the session, and that is asked to be told.
 * - `over`: the session has ended, and its end is the last that was seen.
 * - `full`: too many connections.
 * - `follow`: welcome.
 */
export type Admission =
  | { readonly kind: "closing" | "unknown" | "over" | "full" }
  | { readonly kind: "follow"; readonly start: Start };

/**
 * Decides in the one order that holds for every transport: who has seen the end is told so even when the bus is
 * full, because nothing else stops its client from coming back. `carrier` is what brought the request and may bring more.
 */
export function admission(
  hub: Hub,
  sessionId: string,
  lastEventId: string,
  mustExist: boolean,
  carrier?: object,
): Admission {
  if (hub.closing) return { kind: "closing" };
  const session = hub.find(sessionId);
  if (mustExist && !session?.opened) return { kind: "unknown" };
  const start = resumeAt(session, lastEventId);
  if (session?.log.isOverAt(start.position)) return { kind: "over" };
  if (hub.followers.isFull(session, carrier)) return { kind: "full" };
  return { kind: "follow", start };
}

/** `filter` as connections ask it: admits on `true` only; anything but a boolean, and what it throws, is told. */
export function admitting(
  hub: Hub,
  session: Session,
  filter: ((event: AgentEvent) => unknown) | undefined,
): Admit | undefined {
  if (filter === undefined) return undefined;
  const failed = (thrown: unknown): void => {
    hub.faults.tell(thrown, session.id);
  };
  return (event) => {
    if (event.t !== "agent_event") return true;
    try {
      const answer = filter(event);
      if (typeof answer === "boolean") return answer;
      catchRejection(answer, failed);
      throw mismatch("filter()", "a boolean", answer);
    } catch (thrown) {
      failed(thrown);
      return false;
    }
  };
}
