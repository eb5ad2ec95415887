import { IS_WORKERD } from "./host.ts";

interface NodeProcess {
  emitWarning?(message: string, options: { type: string; detail?: string | undefined }): void;
  getBuiltinModule?(id: "node:util"): { debuglog(section: string): (message: string) => void };
}

const node = (globalThis as { process?: NodeProcess }).process;
const said = new Set<string>();
let debuglog: ((message: string) => void) | undefined;

/**
 * Says `message` once a process (a Node process warning, `console.warn` on Workers, elsewhere `reportError`).
 *
 * The last resort for an error that nobody listens for: nothing is swallowed, nothing floods the log.
 */
export function warnOnce(kind: string, message: string, cause?: unknown): void {
  if (said.has(kind)) return;
  said.add(kind);
  warn(message, cause);
}

/** Says `message` each time: for what is counted elsewhere. */
export function warn(message: string, cause?: unknown): void {
  // workerd takes in what `reportError` is given without a word, and its `process` may have no warnings.
  // eslint-disable-next-line no-console -- its only way to be heard
  if (IS_WORKERD) console.warn(message, cause ?? "");
  else if (node?.emitWarning)
    node.emitWarning(message, { type: "SessionProgressWarning", detail: stackOf(cause) });
  else if (typeof reportError === "function") reportError(new Error(message, { cause }));
}

function stackOf(cause: unknown): string | undefined {
  try {
    return cause instanceof Error ? (cause.stack ?? cause.message) : undefined;
  } catch {
    // An error whose getters throw, or a revoked proxy.
    return undefined;
  }
}

/** Says `message` once a process when `NODE_DEBUG=session-progress` is set. */
export function debugOnce(kind: string, message: string): void {
  if (said.has(kind)) return;
  said.add(kind);
  debuglog ??= node?.getBuiltinModule?.("node:util").debuglog("session-progress") ?? (() => undefined);
  debuglog(message);
}

/** Tells `failed` when `answer` is a promise that rejects: callbacks may be async, but nobody awaits them. */
export function catchRejection(answer: unknown, failed: (thrown: unknown) => void): void {
  if (typeof answer !== "object" || answer === null || !("then" in answer)) return;
  Promise.resolve(answer).catch(failed);
}
