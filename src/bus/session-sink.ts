import type { Outcome, SessionEvent } from "../protocol/event.ts";
import { checkOutcome } from "../report/check-report.ts";
import { type SessionSink, TAKE } from "../report/sink.ts";
import { isStackEnd } from "../runtime/errors.ts";
import type { Hub } from "./hub.ts";
import type { Session } from "./session.ts";

/** A session as a sink: what reporters of this copy hand over is trusted, everything else is checked. */
export function sessionSink(hub: Hub, session: Session): SessionSink {
  return new HubSink(hub, session);
}

class HubSink implements SessionSink {
  readonly sessionId: string;
  readonly strict: boolean;
  readonly #hub: Hub;
  readonly #session: Session;

  constructor(hub: Hub, session: Session) {
    this.sessionId = session.id;
    this.strict = hub.limits.strict;
    this.#hub = hub;
    this.#session = session;
  }

  get epoch(): string {
    return (this.#session.successor ?? this.#session).epoch;
  }

  /** Works detached, as a listener of a worker's messages. */
  readonly event = (event: SessionEvent): boolean => {
    try {
      return this.#hub.takeForeign(this.#session, event);
    } catch (thrown) {
      if (isStackEnd(thrown)) return false;
      throw thrown;
    }
  };

  end(outcome: Outcome): void {
    try {
      checkOutcome(outcome);
    } catch (thrown) {
      this.#hub.faults.tell(thrown, this.#session.id);
      return;
    }
    this.#hub.end(this.#session, outcome);
  }

  error(error: Error): void {
    this.#hub.faults.ofReport(error, this.#session.id);
  }

  [TAKE](event: SessionEvent, dataJson: string | undefined): boolean {
    return this.#hub.take(this.#session, event, dataJson);
  }
}
