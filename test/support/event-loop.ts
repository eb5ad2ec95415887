import { setImmediate as immediate } from "node:timers/promises";

/** Resolves in the next turn of the event loop. */
export async function nextTurn(): Promise<void> {
  await immediate();
}

/**
 * Resolves when promises that could settle have settled and what was reported meanwhile has been offered to
 * followers. One turn is not enough: a report made in a microtask of this turn is offered after `nextTurn`.
 */
export async function settled(): Promise<void> {
  await nextTurn();
  await nextTurn();
}
