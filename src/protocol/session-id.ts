// Captured at load: where `globalThis` is frozen later, Node cannot define it any more.
const { crypto } = globalThis;

const MAX_LENGTH = 128;

/** What a session id looks like, for people. */
export const SESSION_ID_RULE = "1 to 128 of A-Z a-z 0-9 . _ : ~ -";

/**
 * Whether `id` may be a session id.
 *
 * Without a regular expression: V8 compiles one when it is used again, and ends the process where the stack has no room
 * for that.
 */
export function isSessionId(id: unknown): id is string {
  if (typeof id !== "string" || id === "" || id.length > MAX_LENGTH) return false;
  for (let at = 0; at < id.length; at++) if (!isOfId(id.charCodeAt(at))) return false;
  return true;
}

function isOfId(code: number): boolean {
  if (code >= 0x61) return code <= 0x7a || code === 0x7e; // a-z ~
  if (code >= 0x41) return code <= 0x5a || code === 0x5f; // A-Z _
  return (code >= 0x30 && code <= 0x3a) || code === 0x2d || code === 0x2e; // 0-9 : - .
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
