import { mismatch } from "../runtime/errors.ts";

/** Headers as applications have them: a `Headers` or other pairs, or an object in which a name may have several values. */
export type GivenHeaders =
  | Iterable<readonly [name: string, value: string]>
  | Readonly<Record<string, string | readonly string[] | undefined>>;

/** Headers of an answer. Several values of one name are several lines: `Set-Cookie` cannot be joined. */
export type AnswerHeaders = Readonly<Record<string, string | readonly string[]>>;

/** What describes one certain body. Whoever set it had another in mind than the one that we send. */
export const OF_A_BODY: readonly string[] = [
  "content-length",
  "content-encoding",
  "content-range",
  "content-digest",
  "content-md5",
  "digest",
  "repr-digest",
  "accept-ranges",
  "etag",
  "last-modified",
  "trailer",
];

/** What is added to: nobody's cookie and no reason to vary may get lost. Everything else replaces what was set. */
export const ADDED: readonly string[] = ["set-cookie", "vary"];

/** What belongs to one connection. Copied from another server's answer it would break the framing of this one. */
const OF_A_CONNECTION = /^(?:connection|http2-settings|keep-alive|proxy-.*|te|transfer-encoding|upgrade)$/;

/**
 * What of `given` an answer of ours may carry. Application code may pass on all that an authorization service
 * answered. Names are as they were given, but those that are {@link ADDED} to in lower case.
 *
 * @throws {TypeError} If it is malformed: some servers would find out too late for an answer.
 */
export function passing(given: GivenHeaders | null | undefined): Record<string, string | readonly string[]> {
  const headers = toHeaders(given);
  const hopByHop =
    headers
      .get("connection")
      ?.toLowerCase()
      .split(/[\s,]+/) ?? [];
  const withheld = new Set([...OF_A_BODY, ...hopByHop]);
  const isPlain = typeof given === "object" && given !== null && !(Symbol.iterator in given);
  const names = isPlain ? Object.keys(given).filter(isField) : [...headers.keys()];
  const passed: Record<string, string | readonly string[]> = {};
  for (const spelled of names) {
    const name = spelled.toLowerCase();
    const value = headers.get(name);
    if (value === null || withheld.has(name) || OF_A_CONNECTION.test(name)) continue;
    passed[ADDED.includes(name) ? name : spelled] = name === "set-cookie" ? headers.getSetCookie() : value;
    // Once, in whichever case.
    headers.delete(name);
  }
  return passed;
}

function toHeaders(given: GivenHeaders | null | undefined): Headers {
  if (given === undefined || given === null) return new Headers();
  if (typeof given !== "object") throw mismatch("headers", "a `Headers`, pairs or an object", given);
  if (Symbol.iterator in given) return new Headers([...given] as [string, string][]);
  const headers = new Headers();
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined || !isField(name)) continue;
    for (const one of typeof value === "object" ? value : [value]) headers.append(name, one);
  }
  return headers;
}

/** Not HTTP/2's own: what a client of Node's got has them among its headers. */
function isField(name: string): boolean {
  return !name.startsWith(":");
}

/** `headers` with what `set` says was set before, where it is added to. */
export function beside(
  headers: AnswerHeaders,
  set: (name: string) => string | number | readonly string[] | undefined,
): Record<string, string | string[]> {
  const all = { ...headers } as Record<string, string | string[]>;
  for (const name of ADDED) {
    const [ours, before] = [all[name], set(name)];
    if (ours === undefined || before === undefined) continue;
    const both = [before, ours].flat().map(String);
    all[name] = name === "vary" ? both.join(", ") : both;
  }
  return all;
}
