import { messageOf, mismatch } from "../runtime/errors.ts";
import type { EventData } from "../protocol/event.ts";

/** Data nested deeper can be serialised or not, depending on how deep in the stack somebody tries. */
const MAX_DEPTH = 1_000;

/** What became of a value that was to be `data`: its JSON, or what is wrong with it. */
export type DataJson =
  | { readonly json: string; readonly fault?: undefined }
  | { readonly json?: undefined; readonly fault: TypeError };

/**
 * `value` as JSON. Its owner may change the value afterwards.
 *
 * `strict` also finds what JSON would change without a word: a Map becomes `{}`, NaN becomes null. To look for
 * that means to walk through the whole value, so it is not done in production.
 */
export function toJson(value: unknown, strict: boolean): DataJson {
  try {
    const json = JSON.stringify(value) as string | undefined;
    if (json === undefined) return { fault: mismatch("data", "JSON", value) };
    const fault = strict ? silentChange(value, "data") : undefined;
    if (fault !== undefined) return { fault };
    // A level takes two characters at least: most data is too short to be deep.
    if (json.length <= 2 * MAX_DEPTH || deepFreeze(JSON.parse(json)) <= MAX_DEPTH) return { json };
    return { fault: new TypeError(`Expected \`data\` to be nested at most ${MAX_DEPTH} deep`) };
  } catch (cause) {
    return { fault: new TypeError(`Expected \`data\` to be JSON: ${messageOf(cause)}`, { cause }) };
  }
}

/** What `json` says, deeply frozen. */
export function fromJson(json: string): EventData {
  const value = JSON.parse(json) as EventData;
  deepFreeze(value);
  return value;
}

/**
 * Freezes `value`, which is JSON, and all inside it; returns how deep it is nested. Level by level, not recursively:
 * the stack may be nearly used up.
 */
export function deepFreeze(value: unknown): number {
  let depth = 0;
  for (let level = [value].filter(isObject); level.length > 0; depth++) {
    const next: object[] = [];
    for (const object of level) {
      for (const part of Object.values(object)) if (isObject(part)) next.push(part);
      Object.freeze(object);
    }
    level = next;
  }
  return depth;
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

/** The first part of `value` that JSON says otherwise than it is. Whoever has a `toJSON` has said what it is. */
function silentChange(value: unknown, path: string): TypeError | undefined {
  if (typeof value === "number") {
    return Number.isFinite(value) ? undefined : becomes(path, String(value), "null");
  }
  if (typeof value === "function" || typeof value === "symbol") {
    return becomes(path, `a ${typeof value}`, "nothing");
  }
  if (typeof value !== "object" || value === null) return undefined;
  if (typeof (value as { toJSON?: unknown }).toJSON === "function") return undefined;
  if (Array.isArray(value)) {
    for (const [at, inner] of value.entries()) {
      const inside = `${path}[${at}]`;
      const fault = inner === undefined ? becomes(inside, "undefined", "null") : silentChange(inner, inside);
      if (fault !== undefined) return fault;
    }
    return undefined;
  }
  if (!isPlain(value)) return becomes(path, `a ${className(value)}`, JSON.stringify(value).slice(0, 40));
  for (const [key, inner] of Object.entries(value)) {
    const fault = silentChange(inner, `${path}.${key}`);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

/** Plain, boxed, or of a class whose fields JSON keeps. */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) return true;
  if (value instanceof String || value instanceof Number || value instanceof Boolean) return true;
  if (value instanceof Error || ArrayBuffer.isView(value)) return false;
  return Object.keys(value).length > 0;
}

function className(value: object): string {
  return (value as { constructor?: { name?: string } }).constructor?.name ?? "object";
}

function becomes(path: string, what: string, json: string): TypeError {
  return new TypeError(`Expected \`${path}\` to be JSON, got ${what}, which JSON turns into ${json}`);
}
