import type { Incarnation, OpenState, Replica } from "../backplane/port.ts";
import { entryBytes, eventOf, type LogEntry } from "../log/entry.ts";
import { sessionEntry } from "../log/cursor.ts";
import { NO_EPOCH } from "../protocol/entry-id.ts";
import type { Outcome, SessionEndEvent } from "../protocol/event.ts";
import { fromJson } from "../report/json-data.ts";
import type { Eviction } from "./eviction.ts";
import type { Faults } from "./faults.ts";
import type { Followers } from "./followers.ts";
import type { Hooks } from "./hooks.ts";
import type { ActiveRun, Session } from "./session.ts";
import type { SessionRegistry } from "./session-registry.ts";

/** An owner is held as text and as a value: a user's id, or a few strings. */
const OWNER_FACTOR = 3;

const CANCELLED: Outcome = Object.freeze({ status: "cancelled" });

/**
 * The second half of the way into a log: what the engine says is in, is in.
 *
 * Below this nobody knows whether the log is the only one, or follows one that several processes share.
 */
export class LogReplica implements Replica {
  /** Entries committed here since the bus was made. */
  events = 0;
  readonly #registry: SessionRegistry;
  readonly #eviction: Eviction;
  readonly #followers: Followers;
  readonly #hooks: Hooks;
  readonly #faults: Faults;
  /** Whether entries come back from elsewhere, and at any time. */
  readonly #shared: boolean;

  constructor(
    registry: SessionRegistry,
    eviction: Eviction,
    followers: Followers,
    hooks: Hooks,
    faults: Faults,
    shared: boolean,
  ) {
    this.#registry = registry;
    this.#eviction = eviction;
    this.#followers = followers;
    this.#hooks = hooks;
    this.#faults = faults;
    this.#shared = shared;
  }

  opened({ id, epoch }: Pick<Incarnation, "id" | "epoch">, { head, owner }: OpenState): void {
    const registry = this.#registry;
    let session = registry.find(id);
    if (session === undefined || epoch === NO_EPOCH) return;
    if (session.opened && session.epoch !== epoch) {
      // It ended where this process did not see it: its followers come back and are told.
      this.#followers.disconnect(session);
      registry.forget(session);
      session = registry.add(id);
    }
    if (!session.opened) {
      session.epoch = epoch;
      if (head > 0) session.log.skipTo(head);
      if (!this.#eviction.admit(session)) registry.openAsStub(session);
    }
    if (owner !== undefined) this.#setOwner(session, owner);
    const { whenOpened } = session;
    session.whenOpened = [];
    for (const fn of whenOpened) fn();
  }

  /** Resolves when every process sees `session` and its owner; never rejects. */
  whenOpened(session: Session): Promise<void> {
    if (session.opened) return Promise.resolve();
    return new Promise((resolve) => {
      session.whenOpened = [...session.whenOpened, resolve];
    });
  }

  filled({ id }: Pick<Incarnation, "id">): void {
    const session = this.#registry.find(id);
    if (session === undefined) return;
    session.filled = true;
    const { whenFilled } = session;
    session.whenFilled = [];
    for (const fn of whenFilled) fn();
  }

  commit(
    target: Pick<Incarnation, "id" | "epoch">,
    position: number,
    entry: LogEntry,
    bytes: number = entryBytes(entry),
  ): void {
    const session = this.#find(target);
    if (session === undefined || session.log.ended || position <= session.log.head) return;
    if (this.#shared) this.#makeWay(session, bytes);
    // Armed before anything has changed: when the stack ends below, the turn's flush makes up for it.
    if (session.followed) this.#followers.scheduler.schedule(session);
    const ending = entry.t === "session_end";
    if (ending) session.outcome ??= outcomeOf(entry);
    this.#registry.write(session, position, entry, bytes);
    session.unofferedBytes += bytes;
    this.events++;
    this.#eviction.grown(session);
    try {
      if (session.listeners.size > 0 || this.#hooks.has("event")) {
        this.#followers.deliver(session, { position, entry: sessionEntry(session, { position, entry }) });
      }
      if (ending) this.#concluded(session);
    } catch (thrown) {
      this.#faults.keep(thrown);
    }
  }

  refused({ id }: Pick<Incarnation, "id">): void {
    this.#hooks.emit("drop", id, "ended", this.#registry.find(id)?.owner?.value ?? null);
  }

  /** Room in a replica's log; without it the entry becomes part of a gap. May run filters of followers. */
  #makeWay(session: Session, bytes: number): void {
    if (session.opened && session.state !== "live") this.#eviction.admit(session);
    this.#followers.makeWay(session, bytes);
    this.#eviction.makeRoom(bytes, session);
  }

  /** The session has ended under the runs that still go on in it. */
  #concluded(session: Session): void {
    const runs: ActiveRun[] = [...session.runs].filter((run) => run.finish(CANCELLED));
    session.cutShort ||= runs.length > 0 || session.users > 0;
    for (const run of runs) run.abort();
    this.#hooks.emit("end", session.id, session.outcome!, session.owner?.value ?? null);
    this.#registry.release(session);
  }

  #find(target: Pick<Incarnation, "id" | "epoch">): Session | undefined {
    const session = "log" in target ? (target as Session) : this.#registry.find(target.id);
    return session?.epoch === target.epoch ? session : undefined;
  }

  /** Sets whom the session belongs to; who was admitted under another owner, or none, is asked again. */
  #setOwner(session: Session, json: string): void {
    if (session.owner?.json === json) return;
    const bytes = OWNER_FACTOR * json.length;
    const fits = this.#eviction.makeRoom(bytes, session);
    if (!fits && session.state === "live") this.#registry.evict(session);
    this.#registry.setOwner(session, { json, value: fromJson(json), bytes });
    this.#followers.disconnect(session);
  }
}

function outcomeOf(entry: LogEntry): Outcome {
  const { status, msg, data } = eventOf(entry) as SessionEndEvent;
  return { status, ...(msg !== undefined && { message: msg }), ...(data !== undefined && { data }) };
}
