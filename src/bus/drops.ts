import { LATE_REPORT } from "../report/reporter.ts";
import { warn } from "../runtime/diagnostics.ts";
import { reserveStack } from "../runtime/stack.ts";
import type { DropReason, Hooks } from "./hooks.ts";
import type { Session } from "./session.ts";

type Dropped = Pick<Session, "id" | "owner"> & Partial<Pick<Session, "outcome" | "cutShort">>;

/** Reports that are not taken: counted, told to the `drop` hook, and where nobody listens to it a late one is told once. */
export class Drops {
  count = 0;
  readonly #hooks: Hooks;
  #toldLate = false;

  constructor(hooks: Hooks) {
    this.#hooks = hooks;
  }

  /** `late`: whether nothing explains that a report comes after the end; by default the session knows. */
  add(session: Dropped, reason: DropReason, late?: boolean): false {
    this.count++;
    this.#hooks.emit("drop", session.id, reason, session.owner?.value ?? null);
    if (reason === "ended" && !this.#toldLate && (late ?? isLate(session))) this.#tellLate();
    return false;
  }

  #tellLate(): void {
    if (this.#hooks.has("drop")) return;
    reserveStack(1);
    this.#toldLate = true;
    warn(LATE_REPORT);
  }
}

/** A session that was cancelled, or ended under code that goes on, has reports to come, and nobody has made a mistake. */
function isLate({ outcome, cutShort }: Dropped): boolean {
  return outcome?.status !== "cancelled" && cutShort !== true;
}
