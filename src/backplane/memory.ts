import type { LogEntry } from "../log/entry.ts";
import { NO_EPOCH } from "../protocol/entry-id.ts";
import { wallNow } from "../runtime/timers.ts";
import type { Backplane, Incarnation, Opening, Replica } from "./port.ts";

/** The engine of a single process: answers in the same call. The hub's logs are all there is. */
export class MemoryBackplane implements Backplane {
  #replica: Replica | undefined;

  connect(replica: Replica): void {
    this.#replica = replica;
  }

  open({ id, epoch, head }: Incarnation, { owner }: Opening): void {
    this.#replica!.opened({ id, epoch: epoch === NO_EPOCH ? newEpoch() : epoch }, { head, owner });
  }

  append(session: Incarnation, entry: LogEntry, bytes: number): void {
    this.#replica!.commit(session, session.head + 1, entry, bytes);
  }

  /** The hub's log is the whole log. */
  follow({ id }: Incarnation): void {
    this.#replica!.filled({ id });
  }

  unfollow(): void {
    // Nothing was begun.
  }

  flush(): undefined {
    return undefined;
  }

  close(): undefined {
    return undefined;
  }
}

let lastEpoch = 0n;

/**
 * An epoch larger than every one drawn before in this process: `(ms << 20) | 20 random bits`, below 2^62.
 *
 * The random bits keep processes apart. Within one they are not enough: of 500 sessions opened in one
 * millisecond two would share an epoch in one run of eight.
 */
function newEpoch(): string {
  const random = crypto.getRandomValues(new Uint32Array(1))[0] ?? 0;
  const drawn = (BigInt(Math.min(wallNow(), MAX_EPOCH_MS)) << 20n) | BigInt(random >>> 12);
  lastEpoch = drawn > lastEpoch ? drawn : lastEpoch + 1n;
  return String(lastEpoch);
}

/** The last millisecond that 42 bits hold, in the year 2109. */
const MAX_EPOCH_MS = 2 ** 42 - 1;
