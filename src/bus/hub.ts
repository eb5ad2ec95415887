import { runOutside } from "../runtime/async-context.ts";
import { mismatch } from "../runtime/errors.ts";
import type {
  AgentEvent,
  GapEvent,
  Outcome,
  ProgressReport,
  RunEndEvent,
  SessionEndEvent,
  SessionEvent,
} from "../protocol/event.ts";
import { agentEvent, endEvent, fitEvent, utf8Length } from "../report/check-report.ts";
import { type DropReason, Hooks } from "./hooks.ts";
import type { SinkObject } from "../report/reporter.ts";
import { Session, type SessionHost } from "./session.ts";
import { ENTRY_BYTES, type LogLimits } from "../log/session-log.ts";
import { type SessionLimits, Sessions } from "./session-registry.ts";
import { Pulse } from "../runtime/timers.ts";
import { Turn } from "./flush-scheduler.ts";

/** The checked options of a bus. */
export interface BusLimits extends SessionLimits {
  readonly history: LogLimits;
  readonly maxFollowersPerSession: number;
  readonly maxFollowers: number;
  readonly maxEventBytes: number;
  readonly strict: boolean;
}

/** What holds a socket. */
interface Connected {
  /** Ends it at once, whatever is still to be sent. */
  destroy(): void;
}

/** What the wire puts around an event's JSON. */
const FRAME_BYTES = 64;
/** JSON needs at most this many bytes for one byte of text: `\u0000`. */
const MAX_ESCAPE = 6;

/** The one place where anything gets into a log; what a bus and everything that serves it share. */
export class BusCore implements SessionHost {
  readonly limits: BusLimits;
  readonly history: LogLimits;
  readonly hooks: Hooks = new Hooks();
  readonly turn: Turn = new Turn();
  readonly pulse: Pulse = new Pulse();
  readonly sessions: Sessions;
  /** No new runs, no new followers. */
  closing = false;
  /** No more reports either. */
  closed = false;
  bytes = 0;
  followers = 0;
  /** Connections that hold a socket, ended ones included. */
  readonly connections: Set<Connected> = new Set<Connected>();
  #allClosed: (() => void) | undefined;
  events = 0;
  gaps = 0;
  drops = 0;

  constructor(limits: BusLimits) {
    this.limits = limits;
    this.history = limits.history;
    this.sessions = new Sessions(this, limits, this.pulse);
  }

  /** The session to report to, in its current incarnation or a new one. */
  open(sessionId: string): Session {
    if (!this.closed) return this.sessions.open(sessionId);
    return new Session(sessionId, this);
  }

  /** Appends what any sink may be handed. */
  readonly accept = (session: Session, event: SessionEvent): boolean => {
    switch (event.t) {
      case "agent_event":
        return this.append(session, event);
      case "run_end":
        return this.#appendAnyway(session, event);
      case "session_end":
        return this.endWith(session, { status: event.status, message: event.msg, data: event.data });
      case "gap":
        return this.append(session, droppedGap(event.lost ?? event.missed));
      default:
        throw mismatch("event.t", "the type of a session's event", (event as { t?: unknown }).t);
    }
  };

  append(session: Session, given: AgentEvent | GapEvent): boolean {
    if (this.closed) return this.drop(session.id, "closed");
    if (session.outcome !== undefined) return this.drop(session.id, "ended");
    const event = Object.isFrozen(given) ? given : Object.freeze({ ...given });
    // From the lengths, where that settles it: encoding waits until a follower needs it.
    const rough = roughBytes(event);
    if (rough * MAX_ESCAPE <= this.limits.maxEventBytes) return this.#write(session, event, rough);
    const fitted = this.#fitted(event, this.faultOf(session.id));
    return this.#write(session, fitted.event, fitted.bytes);
  }

  /** Ends the session; the first end wins. */
  readonly endWith = (session: Session, outcome: Outcome): boolean => {
    if (this.closed) return this.drop(session.id, "closed");
    if (session.outcome !== undefined || this.sessions.superseded(session)) return false;
    // Before the entry: what a listener reports when it sees the end comes too late.
    session.outcome = outcome;
    this.#appendAnyway(session, endEvent(outcome, undefined, this.#told(session.id)));
    this.sessions.ended(session);
    runOutside(cancelRuns, session, outcome);
    this.hooks.emit("end", session.id, outcome);
    return true;
  };

  endRun(session: Session, run: string, outcome: Outcome): void {
    if (this.closed || this.sessions.superseded(session)) return;
    this.#appendAnyway(session, endEvent(outcome, run, this.#told(session.id)));
  }

  /** A session's sink. */
  sinkOf(session: Session): SinkObject & { sessionId: string; epoch: string } {
    return {
      sessionId: session.id,
      epoch: session.epoch,
      event: (event) => this.accept(session, event),
      end: (outcome) => void this.endWith(session, outcome),
      error: this.faultOf(session.id),
    };
  }

  /** Checks a report and appends it to the open session, or opens it. */
  publish(sessionId: string, report: ProgressReport): boolean {
    if (this.closed) return this.drop(sessionId, "closed");
    if (this.sessions.find(sessionId)?.outcome !== undefined) return this.drop(sessionId, "ended");
    const event = agentEvent(report, {}, this.faultOf(sessionId));
    if (event === undefined) return false;
    // Again: checking a report may have run the caller's code, which may have ended the session.
    if (this.sessions.find(sessionId)?.outcome !== undefined) return this.drop(sessionId, "ended");
    return this.append(this.open(sessionId), event);
  }

  /** What becomes of a fault in a report: thrown when strict, else told to the `error` hook. */
  faultOf(sessionId: string): (error: Error) => void {
    return (error) => {
      if (this.limits.strict) throw error;
      this.hooks.fail(error, sessionId);
    };
  }

  /** What becomes of a fault in an end: told, never thrown. An end must reach every follower. */
  #told(sessionId: string): (error: Error) => void {
    return (error) => {
      this.hooks.fail(error, sessionId);
    };
  }

  drop(sessionId: string, reason: DropReason): false {
    this.drops++;
    this.hooks.emit("drop", sessionId, reason);
    return false;
  }

  /** To be called when nothing of a connection is left. */
  disconnected(connection: Connected): void {
    this.connections.delete(connection);
    if (this.connections.size === 0) this.#allClosed?.();
  }

  /** Resolves when no connection is left. */
  async allClosed(): Promise<void> {
    if (this.connections.size === 0) return;
    await new Promise<void>((resolve) => {
      this.#allClosed = resolve;
    });
  }

  /** Whether one more connection, to `session`, would be too many. */
  isFull(session: Session | undefined): boolean {
    const { maxFollowers, maxFollowersPerSession } = this.limits;
    return this.connections.size >= maxFollowers || (session?.followers.size ?? 0) >= maxFollowersPerSession;
  }

  /** To be called for each follower that is told of a gap. */
  told(sessionId: string, gap: GapEvent): void {
    this.gaps++;
    this.hooks.emit("gap", sessionId, gap);
  }

  #write(session: Session, event: AgentEvent | GapEvent, bytes: number): boolean {
    if (!this.sessions.admit(session)) return this.#refuse(session);
    if (!this.sessions.fits(session, bytes)) return this.#refuse(session);
    if (session.lost > 0) this.#tellLost(session);
    return this.#appendUnlessEnded(session, event, bytes);
  }

  /** The last step: user code (hooks, filters, listeners of a gap) has run on the way, and may have ended it. */
  #appendUnlessEnded(session: Session, event: SessionEvent, bytes: number, ending = false): boolean {
    session.makeWay(bytes);
    if (session.outcome !== undefined && !ending) return this.drop(session.id, "ended");
    session.append(event, bytes);
    return true;
  }

  #refuse(session: Session): false {
    if (this.sessions.superseded(session)) return this.drop(session.id, "ended");
    session.lost++;
    return this.drop(session.id, "full");
  }

  /** Ends are never refused by a limit. */
  #appendAnyway(session: Session, given: RunEndEvent | SessionEndEvent): boolean {
    if (!this.sessions.admit(session)) this.sessions.remember(session);
    const ending = given.t === "session_end";
    if (session.lost > 0) this.#tellLost(session, ending);
    const { event, bytes } = this.#fitted(given, this.#told(session.id));
    return this.#appendUnlessEnded(session, event, bytes, ending);
  }

  /** `event`, cut if it is too long, and what it takes. */
  #fitted<E extends SessionEvent>(event: E, fault: (error: Error) => void): { event: E; bytes: number } {
    const { maxEventBytes } = this.limits;
    const bytes = utf8Length(JSON.stringify(event));
    if (bytes <= maxEventBytes) return { event, bytes: bytes + FRAME_BYTES };
    return { event: fitEvent(event, maxEventBytes, fault), bytes: maxEventBytes + FRAME_BYTES };
  }

  #tellLost(session: Session, ending = false): void {
    const gap = droppedGap(session.lost);
    session.lost = 0;
    this.#appendUnlessEnded(session, gap, ENTRY_BYTES, ending);
  }
}

function cancelRuns(session: Session, outcome: Outcome): void {
  for (const run of session.runs) run.cancel(outcome);
}

/** About how many bytes `event` takes; unknown, hence infinite, where there is `data`. */
function roughBytes(event: AgentEvent | GapEvent): number {
  if (event.t === "gap") return ENTRY_BYTES;
  return event.data === undefined ? ENTRY_BYTES + event.agent.length + utf8Length(event.msg) : Infinity;
}

function droppedGap(lost: number | undefined): GapEvent {
  return Object.freeze({ t: "gap", reason: "dropped", ...(lost !== undefined && { lost }) });
}

// A property under a registered symbol, not a WeakMap: the ESM and the CommonJS copy of this package must
// recognise each other's buses. Versioned by its name.
const CORE = Symbol.for("session-progress/bus/v1");

/** Makes `bus` recognisable to handlers. */
export function attachCore(bus: object, core: BusCore): void {
  Object.defineProperty(bus, CORE, { value: core });
}

/** @throws {TypeError} Unless `bus` came from `createEventBus`. */
export function coreOf(bus: unknown): BusCore {
  const core = typeof bus === "object" && bus !== null ? (bus as { [CORE]?: BusCore })[CORE] : undefined;
  if (core === undefined) throw mismatch("bus", "what createEventBus() returned", bus);
  return core;
}
