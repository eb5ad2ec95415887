import type { Hooks } from "./hooks.ts";

/** What becomes of whatever goes wrong on the side: told to the `error` hook, and never thrown unless `strict`. */
export class Faults {
  readonly #hooks: Hooks;
  readonly #strict: boolean;
  /** What was thrown where the stack had ended, so that nobody could be told. */
  #untold: unknown;

  constructor(hooks: Hooks, strict: boolean) {
    this.#hooks = hooks;
    this.#strict = strict;
  }

  /** A fault in a report: thrown at the code that reports when `strict`, else told. */
  readonly ofReport = (error: Error, sessionId: string): void => {
    if (this.#strict) throw error;
    this.tell(error, sessionId);
  };

  /** Tells the `error` hook; never throws. */
  readonly tell = (thrown: unknown, sessionId?: string): void => {
    try {
      this.#hooks.fail(thrown, sessionId);
    } catch (again) {
      this.#untold = again;
    }
  };

  /** Keeps what was thrown at the stack's end, where nothing can be called. */
  keep(thrown: unknown): void {
    this.#untold = thrown;
  }

  /** Tells what was kept. Called where the stack is nearly empty: at the end of a turn. */
  tellKept(): void {
    const kept = this.#untold;
    if (kept === undefined) return;
    this.#untold = undefined;
    this.tell(kept);
  }
}
