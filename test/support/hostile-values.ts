/** A proxy that throws at every touch. */
export function revoked(target: object = {}): never {
  const { proxy, revoke } = Proxy.revocable(target, {});
  revoke();
  return proxy as never;
}

/** An object that contains itself. */
export function circular(): object {
  const one: Record<string, unknown> = { name: "one" };
  one["self"] = [one];
  return one;
}

/** Data so many levels deep, by arrays and objects in turn. */
export function nested(levels: number): unknown {
  let data: unknown = "core";
  for (let level = 0; level < levels; level++) data = level % 2 === 0 ? [data] : { data };
  return data;
}

/** Uses up the stack. */
export function overflow(): never {
  return overflow();
}

/** What code may throw, as functions that do: errors, and what is harder to tell of. */
export const THROWERS: readonly [what: string, boom: () => never][] = [
  ["an error", thrower(new Error("boom"))],
  ["undefined", thrower(undefined)],
  ["a revoked proxy", thrower(revoked())],
  ["a symbol", thrower(Symbol("boom"))],
  ["an object without a prototype", thrower(Object.create(null))],
  ["an error whose message throws", thrower(unreadable("message"))],
  ["an error whose stack throws", thrower(unreadable("stack"))],
  ["the error of a full stack", overflow],
];

function thrower(thrown: unknown): () => never {
  return () => {
    throw thrown;
  };
}

function unreadable(property: "message" | "stack"): Error {
  return Object.defineProperty(new Error("boom"), property, { get: thrower(new Error("unreadable")) });
}
