import { runOutside } from "../runtime/async-context.ts";
import { catchRejection } from "../runtime/diagnostics.ts";
import type { GapEvent, SessionEntry, SessionEvent } from "../protocol/event.ts";
import type { Hooks } from "./hooks.ts";
import type { SessionLog } from "../log/session-log.ts";

/** A cursor that is read for, synchronously, inside `report`. */
export interface Listener {
  /** Where it waits for more; changes when a session comes back under the same id. */
  among: Listeners | undefined;
  position: number;
  /** Whether it still wants to be called. */
  active: boolean;
  receive(entry: SessionEntry): unknown;
  /** Called when its session lets it go. */
  released(): void;
}

/** An entry at its position. */
interface Appended {
  readonly position: number;
  readonly event: SessionEvent;
}

/** What is listened to. */
interface Source {
  readonly id: string;
  readonly log: SessionLog;
  idAt(position: number): string;
}

/** Who is told of what goes on beside. */
interface Host {
  readonly hooks: Hooks;
  told(sessionId: string, gap: GapEvent): void;
  followers: number;
}

/** The listeners of one session, and the `event` hook: delivery inside the report. */
export class Listeners {
  readonly #source: Source;
  readonly #host: Host;
  #all: readonly Listener[] = NOBODY;
  #undelivered: Appended[] | undefined;

  constructor(source: Source, host: Host) {
    this.#source = source;
    this.#host = host;
  }

  get size(): number {
    return this.#all.length;
  }

  add(listener: Listener): void {
    listener.among = this;
    this.#set([...this.#all, listener]);
  }

  remove(listener: Listener): void {
    this.#set(this.#all.filter((one) => one !== listener));
  }

  /** Lets all go: the session has ended, or the bus is closed. */
  clear(): void {
    for (const listener of this.#all) listener.released();
    this.#set(NOBODY);
  }

  /** Takes over those of `other`, which wait for a session of the same id. */
  adopt(other: Listeners): void {
    const adopted = other.#all;
    other.#set(NOBODY);
    runOutside(() => {
      for (const listener of adopted) {
        this.replay(listener);
        if (listener.active) this.add(listener);
      }
    });
  }

  /**
   * Calls everybody for `event`, which was just appended.
   *
   * A trampoline: what a listener reports is delivered after the current entry, not inside it.
   */
  deliver(event: SessionEvent): void {
    if (this.#all === NOBODY && !this.#host.hooks.has("event")) return;
    const appended = { position: this.#source.log.head, event };
    if (this.#undelivered !== undefined) {
      this.#undelivered.push(appended);
      return;
    }
    this.#undelivered = [appended];
    runOutside(Listeners.#deliverAll, this, this.#undelivered);
  }

  /** Reads the log for a listener, from its position to the head. */
  replay(listener: Listener): void {
    const { log } = this.#source;
    for (let step = log.read(listener.position); step; step = log.read(listener.position)) {
      if (!listener.active) return;
      this.#hand(listener, step, this.#entryOf(step));
    }
  }

  /** Calls one listener; what it throws is told to the `error` hook and hurts nobody. */
  call(listener: Listener, entry: SessionEntry): void {
    const failed = (thrown: unknown): void => {
      this.#host.hooks.fail(thrown, this.#source.id);
    };
    if (entry.event.t === "gap") this.#host.told(this.#source.id, entry.event);
    try {
      catchRejection(listener.receive(entry), failed);
    } catch (thrown) {
      failed(thrown);
    }
  }

  static #deliverAll(self: Listeners, queue: readonly Appended[]): void {
    for (const step of queue) {
      const entry = self.#entryOf(step);
      self.#host.hooks.emit("event", self.#source.id, entry);
      for (const listener of self.#all) {
        if (listener.active && listener.position < step.position) self.#hand(listener, step, entry);
      }
      if (step.event.t === "session_end") self.clear();
    }
    self.#undelivered = undefined;
  }

  #hand(listener: Listener, step: Appended, entry: SessionEntry): void {
    listener.position = step.position;
    this.call(listener, entry);
  }

  #entryOf({ position, event }: Appended): SessionEntry {
    return Object.freeze({ id: this.#source.idAt(position), event });
  }

  #set(listeners: readonly Listener[]): void {
    this.#host.followers += listeners.length - this.#all.length;
    this.#all = listeners.length === 0 ? NOBODY : listeners;
  }
}

const NOBODY: readonly Listener[] = [];
