import { badSessionId, checkSessionId, createSessionId, isSessionId } from "../protocol/session-id.ts";
import { checkAgent, checkOutcome } from "../report/check-report.ts";
import { makeReporter, type Reporter, SinkTarget } from "../report/reporter.ts";
import { checkOptionNames, checkWhole, notAFunction, SessionProgressError } from "../runtime/errors.ts";
import { reserveStack } from "../runtime/stack.ts";
import { Closing } from "./close.ts";
import { Hub } from "./hub.ts";
import { attachHub } from "./hub-of.ts";
import { follow } from "./iterate.ts";
import { checkOptions, type EventBusOptions } from "./options.ts";
import { ownerToJson, startRun } from "./run.ts";
import { Session } from "./session.ts";
import type { SessionEventBus } from "./session-event-bus.ts";
import { sessionSink } from "./session-sink.ts";
import { singleton } from "./singleton.ts";
import { subscribe } from "./subscribe.ts";

/**
 * Makes an event bus; a process needs one. With `singleton` it is the one of that name.
 *
 * @returns The bus; its methods work detached and may be spied on.
 * @throws {TypeError} If an option is malformed.
 */
export function createEventBus(options: EventBusOptions = {}): SessionEventBus {
  const limits = checkOptions(options);
  const { backplane, singleton: name } = options;
  if (name === undefined) return makeBus(new Hub(limits, backplane));
  const settings = JSON.stringify([limits, backplane !== undefined]);
  return singleton(name, settings, (free) => makeBus(new Hub(limits, backplane), free));
}

/** The public face of `hub`; `closes` is called as soon as it is being closed. */
function makeBus(hub: Hub, closes?: () => void): SessionEventBus {
  const closing = new Closing(hub);
  const { hooks, followers } = hub;

  const reporterOf = (session: Session, agent?: string): Reporter => {
    const refused = (): void => void hub.drops.add(session, "ended");
    return makeReporter(new SinkTarget([sessionSink(hub, session)], { refused }), { agent });
  };

  const bus: SessionEventBus = {
    start: (fn, startOptions) => startRun(hub, fn, startOptions),
    open: (openOptions = {}) => {
      checkOptionNames("open", openOptions, { sessionId: 1, owner: 1 });
      const { sessionId = createSessionId(), owner } = openOptions;
      checkSessionId(sessionId);
      const json = ownerToJson(owner);
      if (hub.closing)
        throw new SessionProgressError("closed", "The event bus is closed; no session can open.");
      const session = hub.open(sessionId, { owner: json, anew: true });
      return hub.replica.whenOpened(session).then(() => sessionId);
    },
    withSession: (sessionId, fn) => {
      checkSessionId(sessionId);
      if (typeof fn !== "function") throw notAFunction("fn", fn);
      return withSession(hub, openUnlessClosed(hub, sessionId), fn, reporterOf);
    },
    reporter: (sessionId, reporterOptions = {}) => {
      checkSessionId(sessionId);
      checkOptionNames("reporter", reporterOptions, { agent: 1, epoch: 1 });
      const { agent, epoch } = reporterOptions;
      if (agent !== undefined) checkAgent(agent);
      const session =
        epoch === undefined ? openUnlessClosed(hub, sessionId) : incarnation(hub, sessionId, epoch);
      return reporterOf(session, agent);
    },
    sink: (sessionId) => {
      checkSessionId(sessionId);
      return sessionSink(hub, openUnlessClosed(hub, sessionId));
    },
    publish: (sessionId, report) => {
      // An id that stands for a session was checked when it began.
      if (hub.find(sessionId) !== undefined || isSessionId(sessionId)) return hub.publish(sessionId, report);
      hub.faults.ofReport(badSessionId(sessionId), "");
      return false;
    },
    subscribe: (sessionId, listener, followOptions) => {
      checkSessionId(sessionId);
      return subscribe(hub, sessionId, listener, followOptions);
    },
    follow: (sessionId, followOptions) => {
      checkSessionId(sessionId);
      return follow(hub, sessionId, followOptions);
    },
    end: (sessionId, endOptions = {}) => {
      checkSessionId(sessionId);
      // An outcome is welcome too, of which `error` stays here.
      checkOptionNames("end", endOptions, { status: 1, message: 1, data: 1, error: 1 });
      const { status = "completed", message, data } = endOptions;
      const outcome = { status, message, data };
      checkOutcome(outcome);
      return hub.endById(sessionId, outcome);
    },
    disconnect: (sessionId, where) => {
      checkSessionId(sessionId);
      if (where !== undefined && typeof where !== "function") throw notAFunction("where", where);
      const session = hub.find(sessionId);
      if (session !== undefined) followers.disconnect(session, where);
    },
    flush: () => {
      reserveStack();
      return flush(hub);
    },
    close: (closeOptions = {}) => {
      checkOptionNames("close", closeOptions, { graceMs: 1 });
      const { graceMs = 0 } = closeOptions;
      checkWhole("graceMs", graceMs, 0);
      reserveStack();
      closes?.();
      return closing.close(graceMs);
    },
    stats: () => ({
      sessions: hub.registry.size,
      followers: followers.count,
      events: hub.replica.events,
      gaps: followers.gaps,
      drops: hub.drops.count,
      bytes: hub.eviction.bytes,
    }),
    on: hooks.on,
    off: hooks.off,
    once: hooks.once,
  };
  attachHub(bus, hub);
  return bus;
}

async function flush({ followers, engine }: Hub): Promise<void> {
  followers.scheduler.flush();
  await engine.flush();
  followers.scheduler.flush();
}

/** A session that reports may go to; on a closed bus one that nothing leads to. */
function openUnlessClosed(hub: Hub, sessionId: string): Session {
  return hub.closed ? new Session(sessionId, hub.limits.history) : hub.open(sessionId);
}

/** Calls `fn` under a reporter of `session`, which is not forgotten before what `fn` returned has settled. */
function withSession<T>(
  hub: Hub,
  session: Session,
  fn: () => T,
  reporterOf: (session: Session) => Reporter,
): T {
  const leave = (): void => {
    session.users--;
    hub.registry.release(session);
  };
  session.users++;
  hub.registry.keep(session);
  try {
    const returned = reporterOf(session).run(fn);
    if (returned instanceof Promise) {
      session.users++;
      returned.then(leave, leave);
    }
    return returned;
  } finally {
    leave();
  }
}

/** The session in exactly this incarnation; when it is gone, one that refuses every report. */
function incarnation(hub: Hub, sessionId: string, epoch: string): Session {
  const known = hub.find(sessionId);
  if (known?.opened && known.epoch === epoch) return known;
  const gone = new Session(sessionId, hub.limits.history);
  gone.epoch = epoch;
  gone.outcome = { status: "cancelled" };
  return gone;
}
