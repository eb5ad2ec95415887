import type { Session } from "./session.ts";

/** A carrier may always have so many: one browser has one for all its tabs. */
const SPARED = 16;

interface Share {
  inAll: number;
  readonly bySession: Map<Session, number>;
}

/**
 * How many followers come by each carrier, which a single client may fill with thousands: it gets half of what there
 * is, so that nobody can keep all others out with one.
 */
export class CarrierShares {
  readonly #shares = new WeakMap<object, Share>();

  /** Whether `carrier` has its half of `max` connections to `session`, or of `maxInAll`. */
  isFull(carrier: object, session: Session | undefined, max: number, maxInAll: number): boolean {
    const share = this.#shares.get(carrier);
    if (share === undefined) return false;
    const ofSession = session === undefined ? 0 : (share.bySession.get(session) ?? 0);
    return ofSession >= halfOf(max) || share.inAll >= halfOf(maxInAll);
  }

  /** Counts a connection by `carrier`: `by` 1, or by -1 one that goes. */
  countInAll(carrier: object, by: 1 | -1): void {
    this.#of(carrier).inAll += by;
  }

  /** Likewise one that follows `session`. */
  count(carrier: object, session: Session, by: 1 | -1): void {
    const { bySession } = this.#of(carrier);
    const count = (bySession.get(session) ?? 0) + by;
    if (count > 0) bySession.set(session, count);
    else bySession.delete(session);
  }

  #of(carrier: object): Share {
    let share = this.#shares.get(carrier);
    if (share === undefined) this.#shares.set(carrier, (share = { inAll: 0, bySession: new Map() }));
    return share;
  }
}

function halfOf(max: number): number {
  return Math.min(max, Math.max(SPARED, max >> 1));
}
