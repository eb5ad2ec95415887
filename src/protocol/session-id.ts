// Captured at load: where `globalThis` is frozen later, Node cannot define it any more.
const { crypto } = globalThis;

const MAX_LENGTH = 128;
const ALLOWED: ReadonlySet<number> = new Set(
  Array.from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:~-", (char) =>
    char.charCodeAt(0),
  ),
);

/** What a session id looks like, for people. */
export const SESSION_ID_RULE = "1 to 128 of A-Z a-z 0-9 . _ : ~ -";

/**
 * Whether `id` may be a session id.
 *
 * Not with a regular expression: V8 compiles one when it is used, and where the stack has ended that ends the process.
 */
export function isSessionId(id: unknown): id is string {
  if (typeof id !== "string" || id.length === 0 || id.length > MAX_LENGTH) return false;
  for (let at = 0; at < id.length; at++) if (!ALLOWED.has(id.charCodeAt(at))) return false;
  return true;
}

/** @throws {TypeError} Unless `id` may be a session id. */
export function checkSessionId(id: unknown): asserts id is string {
  if (!isSessionId(id)) throw badSessionId(id);
}

/** The error for a malformed session id. It never quotes the id: a session id must not get into a log. */
export function badSessionId(id: unknown): TypeError {
  const got = typeof id === "string" ? `a string of ${id.length} characters` : typeof id;
  return new TypeError(`Expected \`sessionId\` to be ${SESSION_ID_RULE}, got ${got}`);
}

/**
 * A new session id: 128 random bits, base64url. Whoever knows it can follow, unless `authorize` says no.
 *
 * @returns 22 characters of `A-Z a-z 0-9 _ -`.
 */
export function createSessionId(): string {
  return randomId(16);
}

/** `bytes` random bytes, base64url. */
export function randomId(bytes: number): string {
  const random = crypto.getRandomValues(new Uint8Array(bytes));
  return btoa(String.fromCharCode(...random))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
}
