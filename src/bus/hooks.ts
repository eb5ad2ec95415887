import type * as TypedEmitter from "typed-emitter";
import { runOutside } from "../runtime/async-context.ts";
import { catchRejection, warnOnce } from "../runtime/diagnostics.ts";
import { messageOf, notAFunction, toError } from "../runtime/errors.ts";
import type { GapEvent, Outcome, SessionEntry } from "../protocol/event.ts";

/** Why a report was not taken. */
export type DropReason = "ended" | "full" | "closed";

/**
 * What an operator may watch across all sessions: for metrics and logs, not for delivery.
 *
 * Hooks run synchronously and under no ambient reporter. One that throws is told to `error` and hurts nobody.
 */
// A type, not an interface: typed-emitter wants an index signature, which only a type alias has implicitly.
// eslint-disable-next-line @typescript-eslint/consistent-type-definitions
export type BusHooks = {
  /** Each entry that got into a log. */
  event: (sessionId: string, entry: SessionEntry) => void;
  /** A session has ended; `outcome.error` is what its run threw. */
  end: (sessionId: string, outcome: Outcome) => void;
  /** A follower was told of a gap. */
  gap: (sessionId: string, gap: GapEvent) => void;
  /** A report was not taken: its session had ended, limits were reached, or the bus is closed. */
  drop: (sessionId: string, reason: DropReason) => void;
  /** Anything that went wrong on the side: a malformed report, a listener, a filter or `authorize` that threw. */
  error: (error: Error, sessionId?: string) => void;
};

type Emitter = TypedEmitter.default<BusHooks>;
type Name = keyof BusHooks;
type AnyHook = (...args: never[]) => unknown;

interface Registration {
  readonly hook: AnyHook;
  readonly once: boolean;
}

/** The hooks of one bus. Ours and not Node's emitter: its `error` throws when nobody listens. */
export class Hooks {
  readonly #registered: Record<Name, readonly Registration[]> = {
    event: [],
    end: [],
    gap: [],
    drop: [],
    error: [],
  };

  readonly on = <E extends Name>(name: E, hook: BusHooks[E]): void => {
    this.#add(name, { hook, once: false });
  };

  readonly once = <E extends Name>(name: E, hook: BusHooks[E]): void => {
    this.#add(name, { hook, once: true });
  };

  readonly off = <E extends Name>(name: E, hook: BusHooks[E]): void => {
    const registered = this.#of(name);
    const last = registered.findLast((one) => one.hook === hook);
    this.#registered[name] = registered.filter((one) => one !== last);
  };

  has(name: Name): boolean {
    return this.#registered[name].length > 0;
  }

  readonly emit: Emitter["emit"] = (name, ...args) => {
    const registered = this.#registered[name];
    for (const one of registered) {
      if (one.once) this.#registered[name] = this.#registered[name].filter((other) => other !== one);
      runOutside(call, this, name, one.hook, args);
    }
    if (name === "error" && registered.length === 0) {
      const error = args[0] as Error;
      warnOnce("error", `${error.message} (listen to the bus's \`error\` hook to see all of these)`, error);
    }
    return registered.length > 0;
  };

  /** Tells `error` of something that was thrown. */
  fail(thrown: unknown, sessionId?: string): void {
    this.emit("error", toError(thrown), sessionId);
  }

  #add(name: Name, registration: Registration): void {
    if (typeof registration.hook !== "function") throw notAFunction("hook", registration.hook);
    this.#registered[name] = [...this.#of(name), registration];
  }

  #of(name: Name): readonly Registration[] {
    if (Object.hasOwn(this.#registered, name)) return this.#registered[name];
    const names = Object.keys(this.#registered).join(", ");
    throw new TypeError(
      `Expected the name of a hook (${names}), got a string of ${name.length} characters; to follow a session use bus.subscribe`,
    );
  }
}

function call(hooks: Hooks, name: Name, hook: AnyHook, args: unknown[]): void {
  const failed = (thrown: unknown): void => {
    if (name === "error") warnOnce("hook", `An \`error\` hook threw: ${messageOf(thrown)}`, thrown);
    else hooks.fail(thrown);
  };
  try {
    catchRejection(hook(...(args as never[])), failed);
  } catch (thrown) {
    failed(thrown);
  }
}
