import type { BusCore } from "../bus-core.ts";
import type { AgentEvent, SessionEvent } from "../event.ts";
import { RESET, type Resume } from "../follow.ts";
import { type Chunk, encodeUtf8 } from "../frames.ts";
import type { Follower, Session } from "../session.ts";
import { type Beating, monotonicNow } from "../timers.ts";
import type { ByteSink } from "./byte-sink.ts";
import { encodeComment, encodeEvent } from "./encode.ts";

/** How one event stream behaves; the checked options of a handler. */
export interface StreamSettings {
  readonly keepAliveMs: number;
  readonly retryMs: number;
  readonly writeDeadlineMs: number;
  readonly maxStreamMs: number;
}

/** Where a stream starts, and who asked for it. */
export interface StreamStart {
  readonly position: number;
  readonly resume: Resume;
  readonly request: unknown;
  readonly filter: ((event: AgentEvent) => boolean) | undefined;
}

/** What of one turn may be unsent before a follower that could keep up so far counts as slow. */
const MAX_UNSENT_OF_TURN = 1 << 20;
const KEEP_ALIVE = encodeUtf8(encodeComment("keep-alive"));

/**
 * One follower over HTTP: a cursor that writes what lies after its position, as far as its client takes it.
 *
 * It owns no queue. A client that stops reading just lags; what its log compacts meanwhile becomes a gap.
 */
export class EventStream implements Follower, Beating {
  session: Session;
  readonly request: unknown;
  readonly closed: Promise<void>;
  readonly #core: BusCore;
  readonly #sink: ByteSink;
  readonly #settings: StreamSettings;
  readonly #admit: ((event: SessionEvent) => boolean) | undefined;
  readonly #beatMs: number;
  readonly #openedAt = monotonicNow();
  #resolveClosed!: () => void;
  #position: number;
  /** Since when the client has not taken what was written; `undefined` while it does. */
  #blockedAt: number | undefined;
  #wroteAt = 0;
  /** Which turn was looked at last, and whether the client had kept up when that turn began. */
  #turn = 0;
  #keptUp = false;
  #sprinting = false;
  #ended = false;

  constructor(core: BusCore, session: Session, sink: ByteSink, start: StreamStart, settings: StreamSettings) {
    this.session = session;
    this.request = start.request;
    this.#core = core;
    this.#sink = sink;
    this.#settings = settings;
    this.#position = start.position;
    this.#admit = start.filter && withheldWhenThrowing(core, session.id, start.filter);
    this.#beatMs = Math.max(
      5,
      Math.min(settings.keepAliveMs, settings.writeDeadlineMs, settings.maxStreamMs) / 4,
    );
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
    sink.onDrain = () => {
      this.#drained();
    };
    sink.onClose = () => {
      this.#closed();
    };
  }

  /** Sends the first bytes and attaches: all in one turn, so that nothing falls between log and live. */
  open({ resume }: StreamStart): void {
    const id = this.session.idAt(this.#position);
    const { keepAliveMs, retryMs } = this.#settings;
    const ready = JSON.stringify({ t: "ready", resume, keepAliveMs });
    let preamble =
      encodeEvent({ retry: jittered(retryMs) }) + encodeEvent({ id, event: "ready", data: ready });
    if (resume === "reset") {
      preamble += encodeEvent({ id, event: "gap", data: JSON.stringify(RESET) });
      this.#core.told(this.session.id, RESET);
    }
    this.#core.pulse.join(this, this.#beatMs);
    this.session.add(this);
    this.#write(encodeUtf8(preamble));
    this.#keptUp = this.#position === this.session.log.head;
    // The preamble is no reason to wait for a drain before the log: together they are the first write.
    this.#blockedAt = undefined;
    this.pump(false);
  }

  pump(early: boolean): void {
    if (this.#ended) return;
    const { turn } = this.#core;
    if (this.#turn !== turn.number) {
      this.#turn = turn.number;
      this.#sprinting = this.#keptUp && this.#blockedAt === undefined;
    }
    try {
      while (this.#mayWrite()) {
        const chunk = this.#next();
        if (chunk === undefined) {
          this.#keptUp = true;
          break;
        }
        this.#send(chunk);
        if (chunk.ended) return;
      }
      if (early) this.#sink.flush?.();
    } catch (thrown) {
      this.#core.hooks.fail(thrown, this.session.id);
      this.destroy();
    }
  }

  beat(now: number): void {
    const { keepAliveMs, writeDeadlineMs, maxStreamMs } = this.#settings;
    if (this.#blockedAt !== undefined) {
      if (now - this.#blockedAt >= writeDeadlineMs) this.destroy();
    } else if (this.#ended) {
      return;
    } else if (now - this.#openedAt >= maxStreamMs) {
      this.disconnect(false);
    } else if (now - this.#wroteAt > keepAliveMs - this.#beatMs) {
      this.#write(KEEP_ALIVE);
    }
  }

  /** Ends the response without an `end` event; the client comes back after its reconnection time. */
  disconnect(closing: boolean): void {
    if (this.#ended) return;
    // All clients of a closing process come back at once, unless they are told to spread.
    if (closing) this.#write(encodeUtf8(encodeEvent({ retry: spread(this.#settings.retryMs) })));
    this.#finish();
  }

  destroy(): void {
    this.#sink.destroy();
  }

  /** Slow is who had kept up when the turn began only when much of that turn is unsent: see `ByteSink.write`. */
  #mayWrite(): boolean {
    if (this.#blockedAt === undefined) return true;
    return this.#sprinting && this.#core.turn.active && this.#sink.pending < MAX_UNSENT_OF_TURN;
  }

  #next(): Chunk | undefined {
    const { frames } = this.session;
    if (this.#admit === undefined) return frames.after(this.#position);
    return frames.collect(this.#position, this.#admit);
  }

  #send(chunk: Chunk): void {
    this.#position = chunk.to;
    if (chunk.bytes.length > 0) this.#write(chunk.bytes);
    for (const gap of chunk.gaps) this.#core.told(this.session.id, gap);
    if (chunk.ended) this.#finish();
  }

  #write(bytes: Uint8Array): void {
    this.#wroteAt = monotonicNow();
    if (this.#sink.write(bytes)) return;
    this.#blockedAt ??= this.#wroteAt;
    this.#keptUp = false;
  }

  #drained(): void {
    // After the end the deadline runs on: all that is left is to take what was written.
    if (this.#ended) return;
    this.#blockedAt = undefined;
    this.pump(false);
  }

  #finish(): void {
    this.#ended = true;
    this.#blockedAt ??= monotonicNow();
    this.#leave();
    this.#sink.end();
  }

  #closed(): void {
    this.#ended = true;
    this.#leave();
    this.#core.pulse.leave(this, this.#beatMs);
    this.#resolveClosed();
  }

  #leave(): void {
    this.session.remove(this);
    this.#core.sessions.left(this.session);
  }
}

function withheldWhenThrowing(
  core: BusCore,
  sessionId: string,
  filter: (event: AgentEvent) => boolean,
): (event: SessionEvent) => boolean {
  return (event) => {
    try {
      return event.t !== "agent_event" || filter(event);
    } catch (thrown) {
      core.hooks.fail(thrown, sessionId);
      return false;
    }
  };
}

function jittered(ms: number): number {
  return Math.round(ms * (0.9 + Math.random() * 0.2));
}

/** Over twice the time, so that a restarted process is not met by everyone at once. */
export function spread(ms: number): number {
  return Math.round(ms * (1 + Math.random()));
}
