import type * as TypedEmitter from "typed-emitter";
import type { GapEvent, Outcome, SessionEntry } from "../protocol/event.ts";
import { runOutside } from "../runtime/async-context.ts";
import { catchRejection, warnOnce } from "../runtime/diagnostics.ts";
import { messageOf, notAFunction, toError } from "../runtime/errors.ts";

/** Why a report was not taken. */
export type DropReason = "ended" | "full" | "closed";

/**
 * What an operator may watch across all sessions: for metrics and logs, not for delivery.
 *
 * Hooks run synchronously and under no ambient reporter. One that throws is told to `error` and hurts nobody.
 * `owner` is what `start` or `open` said, `null` when nobody said anything.
 */
// A type, not an interface: typed-emitter wants an index signature, which only a type alias has implicitly.
// eslint-disable-next-line @typescript-eslint/consistent-type-definitions
export type BusHooks = {
  /** Each entry that got into a log. */
  event: (sessionId: string, entry: SessionEntry, owner: unknown) => void;
  /** A run is over; `outcome.error` is what it threw, `run` its id when it does not end its session. */
  run: (sessionId: string, outcome: Outcome, owner: unknown, run?: string) => void;
  /** A session has ended; `outcome.error` is what its run threw. */
  end: (sessionId: string, outcome: Outcome, owner: unknown) => void;
  /** A follower was told of a gap. */
  gap: (sessionId: string, gap: GapEvent, owner: unknown) => void;
  /** A report was not taken: its session had ended, limits were reached, or the bus is closed. */
  drop: (sessionId: string, reason: DropReason, owner: unknown) => void;
  /** Anything that went wrong on the side: a malformed report, a listener, a filter or `authorize` that threw. */
  error: (error: Error, sessionId?: string) => void;
};

type Emitter = TypedEmitter.default<BusHooks>;
type Name = keyof BusHooks;
type AnyHook = (...args: never[]) => unknown;

interface Registration {
  readonly hook: AnyHook;
  readonly once: boolean;
  /** It was called once, or taken away. */
  over: boolean;
  /** It is being called. */
  running: boolean;
}

/** Hooks that are not called for what they cause themselves: it would not end. */
const NOT_REENTRANT: ReadonlySet<Name> = new Set<Name>(["drop", "error"]);

/** The hooks of one bus. Ours and not Node's emitter: its `error` throws when nobody listens. */
export class Hooks {
  readonly #registered: Record<Name, readonly Registration[]> = {
    event: [],
    run: [],
    end: [],
    gap: [],
    drop: [],
    error: [],
  };

  readonly on = <E extends Name>(name: E, hook: BusHooks[E]): void => {
    this.#add(name, hook, false);
  };

  readonly once = <E extends Name>(name: E, hook: BusHooks[E]): void => {
    this.#add(name, hook, true);
  };

  readonly off = <E extends Name>(name: E, hook: BusHooks[E]): void => {
    const last = this.#of(name).findLast((one) => one.hook === hook);
    if (last !== undefined) this.#remove(name, last);
  };

  has(name: Name): boolean {
    return this.#registered[name].length > 0;
  }

  readonly emit: Emitter["emit"] = (name, ...args) => {
    let called = false;
    for (const one of this.#registered[name]) {
      if (one.over || (one.running && NOT_REENTRANT.has(name))) continue;
      called = true;
      if (one.once) this.#remove(name, one);
      runOutside(call, this, name, one, args);
    }
    if (name === "error" && !called) {
      const [error] = args as [Error];
      const message = `${messageOf(error)} (listen to the bus's \`error\` hook to see all of these)`;
      warnOnce("error", message, error);
    }
    return called;
  };

  /** Tells `error` of something that was thrown. */
  fail(thrown: unknown, sessionId?: string): void {
    this.emit("error", toError(thrown), sessionId);
  }

  #add(name: Name, hook: AnyHook, once: boolean): void {
    if (typeof hook !== "function") throw notAFunction("hook", hook);
    this.#registered[name] = [...this.#of(name), { hook, once, over: false, running: false }];
  }

  #remove(name: Name, registration: Registration): void {
    registration.over = true;
    this.#registered[name] = this.#registered[name].filter((one) => one !== registration);
  }

  #of(name: Name): readonly Registration[] {
    if (Object.hasOwn(this.#registered, name)) return this.#registered[name];
    const names = Object.keys(this.#registered).join(", ");
    throw new TypeError(
      `Expected the name of a hook (${names}), got a string of ${name.length} characters; to follow a session use bus.subscribe`,
    );
  }
}

function call(hooks: Hooks, name: Name, one: Registration, args: unknown[]): void {
  const failed = (thrown: unknown): void => {
    if (name === "error") warnOnce("hook", `An \`error\` hook threw: ${messageOf(thrown)}`, thrown);
    else hooks.fail(thrown);
  };
  const outer = one.running;
  one.running = true;
  try {
    catchRejection(one.hook(...(args as never[])), failed);
  } catch (thrown) {
    failed(thrown);
  } finally {
    one.running = outer;
  }
}
