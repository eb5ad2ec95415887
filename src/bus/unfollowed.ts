import { checkWhole } from "../runtime/errors.ts";
import type { Ticking } from "../runtime/ticker.ts";
import type { Hub } from "./hub.ts";
import type { Session } from "./session.ts";

/** How often is looked at most: longer periods get no less accurate. */
const MAX_TICK_MS = 15_000;

/** @throws {TypeError} Unless `ms` is a whole number from 1 up, and this process sees every connection. */
export function checkUnfollowedMs(hub: Hub, ms: number): void {
  checkWhole("unfollowedMs", ms, 1);
  if (!hub.shared) return;
  throw new TypeError("Expected no `unfollowedMs` with a backplane: it sees this process alone");
}

/**
 * Calls `unfollowed` once no connection has followed `session` for `ms`.
 *
 * It counts ticks instead of reading a clock: while the event loop stands still nobody can come back either.
 */
export class UnfollowedWatch implements Ticking {
  readonly #hub: Hub;
  readonly #session: Session;
  readonly #ms: number;
  readonly #tickMs: number;
  readonly #unfollowed: () => void;
  /** Ticks since a connection was last seen, and how many had come by then. */
  #ticks = 0;
  #seen: number;

  constructor(hub: Hub, session: Session, ms: number, unfollowed: () => void) {
    this.#hub = hub;
    this.#session = session;
    this.#ms = ms;
    this.#tickMs = Math.max(5, Math.min(ms / 4, MAX_TICK_MS));
    this.#unfollowed = unfollowed;
    this.#seen = session.connected;
    hub.ticker.join(this, this.#tickMs);
  }

  tick(): void {
    const { connections, connected } = this.#session;
    // A closing bus turns away who comes back: its grace decides.
    if (connections > 0 || connected !== this.#seen || this.#hub.closing) {
      this.#seen = connected;
      this.#ticks = 0;
    } else if (this.#ticks++ * this.#tickMs >= this.#ms) {
      this.stop();
      this.#unfollowed();
    }
  }

  stop(): void {
    this.#hub.ticker.leave(this, this.#tickMs);
  }
}
