import { describe, expect, test } from "vitest";
import { createEventBus, createSessionId } from "session-progress";
import { recordErrors } from "../../support/hooks.ts";
import { untyped } from "../../support/untyped.ts";

describe("a malformed session id", () => {
  const bad: unknown[] = ["", "a b", "a\nb", "ä", "a/b", "x".repeat(129), "../etc", 7, null, undefined];

  test.each(bad)("(%j) is a TypeError everywhere but in publish", (given) => {
    const bus = createEventBus();
    const id: string = untyped(given);
    const calls: (() => unknown)[] = [
      () => bus.withSession(id, () => undefined),
      () => bus.reporter(id),
      () => bus.sink(id),
      () => bus.subscribe(id, () => undefined),
      () => bus.follow(id),
      () => bus.end(id),
      () => bus.disconnect(id),
    ];
    // To `start`, undefined means: make one.
    if (given !== undefined) calls.push(() => bus.start(() => undefined, { sessionId: id }));
    for (const call of calls) {
      expect(call).toThrow(TypeError);
      expect(call).toThrow(/^Expected `sessionId` to be 1 to 128 of A-Z a-z 0-9 \. _ : ~ -, got /);
    }
  });

  test.each(bad)("(%j) counts as a bad report in publish", (given) => {
    const bus = createEventBus();
    const id: string = untyped(given);
    const faults = recordErrors(bus);
    expect(bus.publish(id, {})).toBe(false);
    expect(faults.map(String)).toEqual([
      expect.stringMatching(/^TypeError: Expected `sessionId` to be 1 to 128 of /),
    ]);
    expect(() => createEventBus({ strict: true }).publish(id, {})).toThrow(TypeError);
  });

  test("is not repeated in the error", () => {
    expect(() => createEventBus().reporter("secret token")).toThrow(/got a string of 12 characters$/);
  });

  test.each(["a", "A-Z.a_z:0~9", "x".repeat(128), createSessionId()])("is not %s", (id) => {
    expect(createEventBus().publish(id, {})).toBe(true);
  });
});

describe("createSessionId", () => {
  test("makes 128 random bits, base64url", () => {
    const ids = Array.from({ length: 1_000 }, createSessionId);
    expect(new Set(ids).size).toBe(1_000);
    for (const id of ids) expect(id).toMatch(/^[A-Za-z0-9_-]{22}$/);
  });
});
