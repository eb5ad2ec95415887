import { checkOutcome } from "../report/check-report.ts";
import { type SessionSink, type SinkObject, TAKE } from "../report/sink.ts";
import { isStackEnd } from "../runtime/errors.ts";
import type { Hub } from "./hub.ts";
import type { Session } from "./session.ts";

/**
 * A session as a sink: what reporters of this copy hand over is trusted, everything else is checked.
 *
 * An object of its own members, which work detached and are copied with it; but for the one by which reporters know it:
 * a copy with another `event` is another sink.
 */
export function sessionSink(hub: Hub, session: Session): SessionSink {
  const sink: SinkObject & Pick<SessionSink, "sessionId" | "epoch"> = {
    sessionId: session.id,
    get epoch() {
      return (session.successor ?? session).epoch;
    },
    strict: hub.limits.strict,
    event: (event) => {
      try {
        return hub.takeForeign(session, event);
      } catch (thrown) {
        if (isStackEnd(thrown)) return false;
        throw thrown;
      }
    },
    end: (outcome) => {
      try {
        checkOutcome(outcome);
      } catch (thrown) {
        hub.faults.tell(thrown, session.id);
        return;
      }
      hub.end(session, outcome);
    },
    error: (error) => {
      hub.faults.ofReport(error, session.id);
    },
  };
  const take: SessionSink[typeof TAKE] = (event, dataJson) => hub.take(session, event, dataJson);
  return Object.defineProperty(sink, TAKE, { value: take }) as SessionSink;
}
