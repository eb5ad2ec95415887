import { warn } from "../runtime/diagnostics.ts";
import { HUB } from "./hub-of.ts";
import type { SessionEventBus } from "./session-event-bus.ts";

interface Singleton {
  /** Whose internals the bus has: only copies of this package that share them can use it. */
  readonly hub: symbol;
  readonly settings: string;
  readonly bus: SessionEventBus;
  warned: boolean;
}

type Singletons = Map<string, Singleton[]>;

const SLOT = Symbol.for("session-progress/singletons/v1");

/**
 * The bus that goes by `name` in this process, also for other bundles and copies of this package; `make` makes it.
 *
 * @param settings What its options come to: the first count.
 * @param make Gets what frees the name.
 */
export function singleton(
  name: string,
  settings: string,
  make: (free: () => void) => SessionEventBus,
): SessionEventBus {
  const all = allSingletons();
  const known = all.get(name) ?? [];
  const found = known.find(({ hub }) => hub === HUB);
  if (found !== undefined) {
    if (found.settings !== settings && !found.warned) {
      found.warned = true;
      warn(`The event bus "${name}" exists with other options: the first count`);
    }
    return found.bus;
  }
  if (known.length > 0) {
    warn(`The event bus "${name}" is another version's of session-progress: here is a second one`);
  }
  const bus = make(() => {
    all.set(
      name,
      (all.get(name) ?? []).filter((one) => one.bus !== bus),
    );
  });
  all.set(name, [...known, { hub: HUB, settings, bus, warned: false }]);
  return bus;
}

/** Of this copy: put where others find them, unless theirs are there. Where `globalThis` is frozen nobody does. */
const own: Singletons = new Map();

function allSingletons(): Singletons {
  const slots = globalThis as { [SLOT]?: Singletons | undefined };
  try {
    return (slots[SLOT] ??= own);
  } catch {
    return own;
  }
}
