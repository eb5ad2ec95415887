import { monotonicNow, settlesWithin } from "../runtime/timers.ts";
import type { Hub } from "./hub.ts";

/** How long `close` waits for clients to take their last bytes. */
const CLOSE_MS = 300;

/** Closes a bus once, however often it is asked; each call may shorten the grace that runs are given. */
export class Closing {
  readonly #hub: Hub;
  #shorten: (() => void) | undefined;
  #endsAt = Infinity;
  #closed: Promise<void> | undefined;

  constructor(hub: Hub) {
    this.#hub = hub;
  }

  close(graceMs: number): Promise<void> {
    const endsAt = monotonicNow() + graceMs;
    if (this.#closed === undefined) {
      this.#endsAt = endsAt;
      this.#closed = this.#close(graceMs);
    } else if (endsAt < this.#endsAt) {
      this.#endsAt = endsAt;
      void settlesWithin(this.#closed, graceMs).then(() => this.#shorten?.());
    }
    return this.#closed;
  }

  async #close(graceMs: number): Promise<void> {
    const hub = this.#hub;
    const { followers, registry } = hub;
    hub.closing = true;
    const runs = [...registry.all()].flatMap((session) => [...session.runs]);
    if (graceMs > 0 && runs.length > 0) {
      const shortened = new Promise<void>((resolve) => {
        this.#shorten = resolve;
      });
      await settlesWithin(Promise.race([shortened, Promise.all(runs.map((run) => run.done))]), graceMs);
    }
    for (const run of runs) if (run.finish({ status: "cancelled" })) run.abort();
    hub.closed = true;
    hub.faults.tellKept();
    followers.scheduler.flush();
    await hub.engine.flush();
    for (const session of registry.all()) {
      for (const follower of session.followers) follower.disconnect(true);
      for (const listener of session.listeners) listener.stop();
    }
    // Their servers would wait for them for as long as their clients like, and have no other sign of the end.
    for (const carrier of followers.carriers) carrier.close?.();
    if (!(await settlesWithin(followers.allClosed(), CLOSE_MS))) {
      for (const connection of followers.connections) connection.destroy();
      await settlesWithin(followers.allClosed(), CLOSE_MS);
    }
    await hub.engine.close();
    hub.eviction.stop();
    registry.clear();
  }
}
