/**
 * What went wrong, for code to branch on.
 *
 * - `closed`: the event bus has been closed.
 * - `ended`: the session was ended from elsewhere (the reason of an aborted `signal`).
 * - `headers_sent`: a handler was given a response whose headers had gone out already.
 */
export type SessionProgressErrorCode = "closed" | "ended" | "headers_sent";

// A brand instead of `instanceof`: the ESM and the CommonJS copy of this class are different objects.
const BRAND = Symbol.for("session-progress/error/v1");

/**
 * The one error class of this library, told apart by {@link SessionProgressError.code}.
 *
 * Misuse (a malformed option, a session id with a line break) is a plain `TypeError` instead. Check with
 * {@link isSessionProgressError}, which also recognises errors of another copy of this package.
 */
export class SessionProgressError extends Error {
  /** Always `SessionProgressError`. */
  override readonly name = "SessionProgressError";
  /** What went wrong, stable across versions. */
  readonly code: SessionProgressErrorCode;

  constructor(code: SessionProgressErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    Object.defineProperty(this, BRAND, { value: true });
  }
}

/**
 * Whether `value` is a {@link SessionProgressError}, from whichever copy of this package it came.
 *
 * @example
 * ```ts
 * if (isSessionProgressError(error) && error.code === "closed") return;
 * ```
 */
export function isSessionProgressError(value: unknown): value is SessionProgressError {
  return typeof value === "object" && value !== null && BRAND in value;
}

/** A `TypeError` that names the thing, what was expected and what came. */
export function mismatch(name: string, expected: string, got: unknown): TypeError {
  return new TypeError(`Expected \`${name}\` to be ${expected}, got ${describe(got)}`);
}

/** As {@link mismatch} for a function; tells no content, because a session id may stand in its place. */
export function notAFunction(name: string, got: unknown): TypeError {
  return new TypeError(
    `Expected \`${name}\` to be a function, got ${got === null ? "null" : `a value of type ${typeof got}`}`,
  );
}

/** Whatever was thrown, as an `Error`; itself never throws. */
export function toError(thrown: unknown): Error {
  try {
    if (thrown instanceof Error) return thrown;
  } catch {
    // A revoked proxy cannot even be asked for its prototype.
  }
  return new Error(`Thrown: ${describe(thrown)}`, { cause: thrown });
}

/** An app may hand the same settings to its bus and to its handlers. */
const SETTINGS =
  "history retentionMs idleMs maxSessions maxFollowersPerSession maxFollowers maxEventBytes strict backplane singleton " +
  "session authorize filter keepAliveMs retryMs writeDeadlineMs maxStreamMs mustExist";

/**
 * Refuses a misspelt option, which would be ignored: it may have been the one that says who may follow.
 *
 * @throws {TypeError} Unless `given` is an object whose names are among those of `known`, or other settings of ours.
 */
export function checkOptionNames(what: string, given: unknown, known: object): void {
  const isObject = typeof given === "object" && given !== null && !isArray(given);
  // Without content: a session id may stand in their place.
  if (!isObject)
    throw new TypeError(`Expected the options of ${what} to be an object, got a ${kindOf(given)}`);
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined || Object.hasOwn(known, name) || SETTINGS.split(" ").includes(name)) continue;
    const names = Object.keys(known).join(", ");
    throw new TypeError(`Expected the options of ${what} to be among ${names}; got \`${name.slice(0, 40)}\``);
  }
}

function kindOf(value: unknown): string {
  return value === null ? "null" : isArray(value) ? "array" : typeof value;
}

/** @throws {TypeError} Unless `value` is a whole number from `least` up. */
export function checkWhole(name: string, value: unknown, least: number): asserts value is number {
  if (Number.isSafeInteger(value) && (value as number) >= least) return;
  throw mismatch(name, `a whole number from ${least} up`, value);
}

/** Whether `thrown` says that the stack is used up, in the words of V8 and of JavaScriptCore. */
export function isStackEnd(thrown: unknown): boolean {
  return thrown instanceof RangeError && thrown.message.startsWith("Maximum call stack size exceeded");
}

/** The message of whatever was thrown; itself never throws. */
export function messageOf(thrown: unknown): string {
  try {
    return String((toError(thrown) as { message: unknown }).message);
  } catch {
    return "an error that cannot be read";
  }
}

function describe(value: unknown): string {
  switch (typeof value) {
    case "string":
      return value.length > 40
        ? `a string of ${value.length} characters`
        : `${JSON.stringify(value)} (string)`;
    case "number":
    case "boolean":
    case "undefined":
      return String(value);
    case "bigint":
      return `${value}n (bigint)`;
    case "object":
      return value === null ? "null" : isArray(value) ? "an array" : "an object";
    default:
      return `a ${typeof value}`;
  }
}

function isArray(value: unknown): boolean {
  try {
    return Array.isArray(value);
  } catch {
    // A revoked proxy.
    return false;
  }
}
