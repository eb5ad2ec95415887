import type { Backplane, Incarnation, LogEntry, Opening, Replica } from "session-progress";

/** Numbers that look random and are the same in every run (mulberry32). */
function dice(seed: number): (sides: number) => number {
  let state = seed;
  return (sides) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % sides;
  };
}

interface StoredSession {
  readonly epoch: string;
  owner: string | undefined;
  readonly entries: LogEntry[];
}

/** The logs that several processes share: what a Redis would hold. */
export class HostileStore {
  readonly roll: (sides: number) => number;
  readonly planes = new Set<HostileBackplane>();
  readonly #sessions = new Map<string, StoredSession>();
  #epoch = 1_000n;
  /** Whether a second writer reports between the entries of the first. */
  readonly interleaves: boolean;

  constructor(seed: number, { interleaves = false } = {}) {
    this.roll = dice(seed);
    this.interleaves = interleaves;
  }

  find(id: string): StoredSession | undefined {
    return this.#sessions.get(id);
  }

  /** Atomic: absent, or ended and to begin anew. */
  open(id: string, { owner, anew }: Opening): StoredSession {
    const known = this.#sessions.get(id);
    const begins = known === undefined || (anew && isEnded(known));
    const session = begins ? { epoch: String(++this.#epoch), owner: undefined, entries: [] } : known;
    if (owner !== undefined) session.owner = owner;
    this.#sessions.set(id, session);
    return session;
  }

  append(id: string, epoch: string, entry: LogEntry): boolean {
    const session = this.#sessions.get(id);
    if (session?.epoch !== epoch || isEnded(session)) return false;
    session.entries.push(entry);
    for (const plane of this.planes) plane.written(id);
    return true;
  }
}

function isEnded(session: StoredSession): boolean {
  return session.entries.at(-1)?.t === "session_end";
}

/**
 * One process's connection to a {@link HostileStore}: answers two turns later, repeats entries, goes away at random and
 * loses what is written meanwhile, until it has come back and reads it.
 */
export class HostileBackplane implements Backplane {
  readonly #store: HostileStore;
  #replica!: Replica;
  /** What the hub has asked for and was not carried out. */
  #asked: (() => void)[] = [];
  /** Sessions that are followed here: by id, the hub's handle. */
  readonly #followed = new Map<string, Incarnation>();
  readonly #opened = new Map<string, string>();
  readonly #idle: (() => void)[] = [];
  readonly #dirty = new Set<string>();
  #working = false;
  #awayFor = 0;
  #closed = false;

  constructor(store: HostileStore) {
    this.#store = store;
    store.planes.add(this);
  }

  connect(replica: Replica): void {
    this.#replica = replica;
  }

  open(session: Incarnation, opening: Opening): void {
    this.#ask(() => {
      const { epoch, owner } = this.#store.open(session.id, opening);
      this.#opened.set(session.id, epoch);
      this.#replica.opened({ id: session.id, epoch }, { head: 0, owner });
      if (this.#store.roll(3) === 0) this.#replica.opened({ id: session.id, epoch }, { head: 0, owner });
    });
  }

  append(session: Incarnation, entry: LogEntry): void {
    const { id, epoch } = session;
    this.#ask(() => {
      const resolved = epoch === "0" ? (this.#opened.get(id) ?? this.#store.find(id)?.epoch) : epoch;
      if (this.#store.interleaves && entry.t === "agent_event" && this.#store.roll(2) === 0) {
        this.#store.append(id, resolved ?? "", other());
      }
      if (!this.#store.append(id, resolved ?? "", entry))
        this.#replica.refused({ id, epoch: resolved ?? "0" });
    });
  }

  follow(session: Incarnation): void {
    this.#ask(() => {
      this.#followed.set(session.id, session);
      const stored = this.#store.find(session.id);
      if (stored !== undefined) {
        this.#replica.opened({ id: session.id, epoch: stored.epoch }, { head: 0, owner: stored.owner });
        this.#catchUp(session.id);
      }
      this.#replica.filled({ id: session.id });
    });
  }

  unfollow({ id }: Incarnation): void {
    this.#ask(() => this.#followed.delete(id));
  }

  flush(): Promise<void> | undefined {
    if (!this.#working) return undefined;
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  close(): undefined {
    this.#closed = true;
    this.#store.planes.delete(this);
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  /** Something was written to `id`, by whomever: it is read two turns later, or when this has come back. */
  written(id: string): void {
    if (!this.#followed.has(id)) return;
    this.#dirty.add(id);
    this.#work();
  }

  #ask(fn: () => void): void {
    this.#asked.push(fn);
    this.#work();
  }

  #work(): void {
    if (this.#working || this.#closed) return;
    this.#working = true;
    if (this.#store.roll(6) === 0) this.#awayFor = this.#store.roll(5);
    setImmediate(() => setImmediate(() => this.#turn()));
  }

  #turn(): void {
    this.#working = false;
    if (this.#closed) return;
    if (this.#awayFor-- > 0) return this.#work();
    for (const fn of this.#asked.splice(0)) fn();
    for (const id of [...this.#dirty]) this.#catchUp(id);
    if (this.#asked.length + this.#dirty.size > 0) return this.#work();
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  /** Commits what the replica lacks, and now and then what it has already. */
  #catchUp(id: string): void {
    this.#dirty.delete(id);
    const stored = this.#store.find(id);
    const session = this.#followed.get(id);
    if (stored === undefined || session === undefined) return;
    const { epoch, entries, owner } = stored;
    if (session.epoch !== epoch) this.#replica.opened({ id, epoch }, { head: 0, owner });
    const from = Math.max(0, (session.epoch === epoch ? session.head : 0) - this.#store.roll(3));
    for (let at = from; at < entries.length; at++) {
      this.#replica.commit({ id, epoch }, at + 1, entries[at]!);
      if (this.#store.roll(4) === 0) this.#replica.commit({ id, epoch }, at + 1, entries[at]!);
    }
  }
}

function other(): LogEntry {
  return Object.freeze({
    t: "agent_event",
    agent: "other",
    phase: "think",
    msg: "between",
    ts: "2026-11-22T08:37:06.927Z",
  });
}
