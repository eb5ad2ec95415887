import type { LogEntry } from "../log/entry.ts";

/**
 * One incarnation of a session, as hub and engine name it to each other. The hub hands out an object of its own;
 * an engine may hand that back, or a look-alike.
 */
export interface Incarnation {
  /** The session id. */
  readonly id: string;
  /** `"0"` until the engine has said it. */
  readonly epoch: string;
  /** The newest position that this process knows; what it lacks begins after that. */
  readonly head: number;
}

/** What a session is opened with. */
export interface Opening {
  /** JSON of whom it belongs to; `undefined` leaves the owner as it is. */
  readonly owner: string | undefined;
  /** Whether an ended session begins anew. Otherwise what is asked for on it is refused. */
  readonly anew: boolean;
}

/**
 * The engine that gives entries their positions: one process's memory, or a store that several processes share.
 *
 * The hub asks, the engine answers through the {@link Replica}, in the same call or at any time later. What a hub
 * asks for one session is carried out in the order of asking. No method throws or waits, whatever the state of the
 * engine: reporters call them.
 */
export interface Backplane {
  /** Hands over the hub's side. Called once, first. */
  connect(replica: Replica): void;
  /**
   * Opens the session if it is absent, or, with `anew`, if it has ended: atomically, so that of two processes that
   * open the same session both get the same epoch. Answer: {@link Replica.opened}.
   */
  open(session: Incarnation, opening: Opening): void;
  /**
   * Writes `entry` at the next position of exactly this incarnation; with epoch `"0"`, of the one that the `open`
   * before it returns, or, without one, of the session's current one, if it is open. Answer: {@link Replica.commit} in every process that follows, {@link Replica.refused} here.
   *
   * An append never takes an epoch other than its own, and nothing is appended after a `session_end`. `bytes` is what
   * the entry counts in a log.
   */
  append(session: Incarnation, entry: LogEntry, bytes: number): void;
  /**
   * From now on this process's replica is filled: first with what is retained after `session.head`, then as it is
   * written. Answer: {@link Replica.opened} if it is open, {@link Replica.commit}s, then
   * {@link Replica.filled}, then more commits.
   */
  follow(session: Incarnation): void;
  /** Nobody here follows any more; commits may stop. */
  unfollow(session: Incarnation): void;
  /**
   * Resolves when everything appended here was answered and has been committed to this process's replica. `undefined`
   * when that is always so.
   */
  flush(): Promise<void> | undefined;
  /** Lets go of connections and timers. Nothing is answered afterwards. */
  close(): Promise<void> | undefined;
}

/** What an engine says of an open session. */
export interface OpenState {
  /** The position after which commits follow. */
  readonly head: number;
  /** JSON of whom it belongs to; `undefined` leaves what is known. */
  readonly owner: string | undefined;
}

/** The hub's side: what the engine tells this process. Every method may be told again; repeats change nothing. */
export interface Replica {
  /**
   * The session's current incarnation, and how far this process's replica may count as read: what is retained after
   * `head` is committed next, what is not is gone.
   */
  opened(session: Pick<Incarnation, "id" | "epoch">, state: OpenState): void;
  /**
   * Everything that is retained of a followed session has been committed, or nobody has opened it yet: followers may
   * read, or wait.
   */
  filled(session: Pick<Incarnation, "id">): void;
  /**
   * `entry` stands at `position`. Positions come in ascending order; one that is not above the head is a repeat, one
   * that leaves a hole says that what is between is gone. `bytes` is what `append` was told, if that is at hand.
   */
  commit(session: Pick<Incarnation, "id" | "epoch">, position: number, entry: LogEntry, bytes?: number): void;
  /** An append was not taken: its incarnation has ended. */
  refused(session: Pick<Incarnation, "id" | "epoch">): void;
}
