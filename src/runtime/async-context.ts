/**
 * What travels in the context: anything with a `report`.
 *
 * The contract of `globalThis[Symbol.for("session-progress/context/v1")]` (PROTOCOL.md): an
 * AsyncLocalStorage whose value is `{ reporter }`. Other copies and other majors of this package, and
 * libraries that do not depend on it, meet here, so it only ever grows.
 */
export interface AmbientStore {
  readonly reporter: { report(report: object): boolean };
}

/** The part of AsyncLocalStorage that the contract needs. */
interface AmbientStorage {
  run<A extends unknown[], T>(store: AmbientStore | undefined, fn: (...args: A) => T, ...args: A): T;
  getStore(): AmbientStore | undefined;
}

const SLOT = Symbol.for("session-progress/context/v1");
const slots = globalThis as { [SLOT]?: AmbientStorage | undefined };
let storage: AmbientStorage | undefined;

/** What `run` put into the context here, or `undefined` outside of any, or when it is not what the contract says. */
export function ambientStore(): AmbientStore | undefined {
  storage ??= sharedStorage();
  const store = storage?.getStore() as Partial<AmbientStore> | undefined;
  if (store === undefined) return undefined;
  try {
    return typeof store.reporter?.report === "function" ? (store as AmbientStore) : undefined;
  } catch {
    // Somebody else's store, which cannot be read.
    return undefined;
  }
}

/** Calls `fn` with `store` in its context, across every await below it; `undefined` means: in none. */
export function runWith<A extends unknown[], T>(
  store: AmbientStore | undefined,
  fn: (...args: A) => T,
  ...args: A
): T {
  // Created by the first run, not at load: on Node 22 and older its mere use makes every await dearer.
  storage ??= sharedStorage() ?? createStorage();
  return storage === undefined ? fn(...args) : storage.run(store, fn, ...args);
}

/** Calls `fn` under no ambient reporter: what it reports by mistake must not come back to it. */
export function runOutside<A extends unknown[]>(fn: (...args: A) => void, ...args: A): void {
  if (ambientStore() === undefined) fn(...args);
  else runWith(undefined, fn, ...args);
}

/** The storage that another copy of this package put there. */
function sharedStorage(): AmbientStorage | undefined {
  const found = slots[SLOT] as Partial<AmbientStorage> | undefined;
  return typeof found?.getStore === "function" && typeof found.run === "function"
    ? (found as AmbientStorage)
    : undefined;
}

type Constructor = new () => AmbientStorage;

/**
 * The runtime's AsyncLocalStorage, without importing `node:async_hooks`: an import would keep browsers and
 * edge runtimes from loading the main entry. In a browser there is none, and `run` just calls its function.
 */
function createStorage(): AmbientStorage | undefined {
  const runtime = globalThis as {
    process?: { getBuiltinModule?(id: "node:async_hooks"): { AsyncLocalStorage: Constructor } | undefined };
    AsyncLocalStorage?: Constructor;
  };
  const AsyncLocalStorage =
    runtime.process?.getBuiltinModule?.("node:async_hooks")?.AsyncLocalStorage ?? runtime.AsyncLocalStorage;
  if (AsyncLocalStorage === undefined) return undefined;
  const created = new AsyncLocalStorage();
  try {
    slots[SLOT] ??= created;
  } catch {
    // `globalThis` is frozen: the context works, other copies of this package do not see it.
  }
  return created;
}
