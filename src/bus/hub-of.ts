import { mismatch } from "../runtime/errors.ts";
import type { Hub } from "./hub.ts";

// A property under a registered symbol, not a WeakMap: the ESM and the CommonJS copy of this package must
// recognise each other's buses. Versioned by its name.
export const HUB: unique symbol = Symbol.for("session-progress/bus/v1");

/** Makes `bus` recognisable to handlers. */
export function attachHub(bus: object, hub: Hub): void {
  Object.defineProperty(bus, HUB, { value: hub });
}

/** @throws {TypeError} Unless `bus` came from `createEventBus`. */
export function hubOf(bus: unknown): Hub {
  const hub = typeof bus === "object" && bus !== null ? (bus as { [HUB]?: Hub })[HUB] : undefined;
  if (hub === undefined) throw mismatch("bus", "what createEventBus() returned", bus);
  return hub;
}

/** Resolves when a session of `hub` can be read; `undefined`: it can be now, as always in memory. */
export function filling(hub: Hub, id: string): Promise<void> | undefined {
  if (!hub.shared || hub.find(id)?.filled === true) return undefined;
  return new Promise((resolve) => {
    hub.whenFilled(hub.join(id), resolve);
  });
}
