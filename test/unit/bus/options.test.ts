import { describe, expect, test } from "vitest";
import { createEventBus, type EventBusOptions } from "session-progress";
import { untyped } from "../../support/untyped.ts";

describe("the options of createEventBus", () => {
  test.each<[EventBusOptions, string]>([
    [{ history: { maxEvents: 0 } }, "Expected `history.maxEvents` to be a whole number from 1 up, got 0"],
    [{ history: { maxEvents: 1.5 } }, "Expected `history.maxEvents` to be a whole number from 1 up, got 1.5"],
    [{ history: { maxBytes: 10 } }, "Expected `history.maxBytes` to be a whole number from 1024 up, got 10"],
    [
      { history: { maxTotalBytes: -1 } },
      "Expected `history.maxTotalBytes` to be a whole number from 1024 up, got -1",
    ],
    [{ retentionMs: NaN }, "Expected `retentionMs` to be a whole number from 1 up, got NaN"],
    [{ idleMs: Infinity }, "Expected `idleMs` to be a whole number from 1 up, got Infinity"],
    [
      { maxSessions: untyped("9") },
      'Expected `maxSessions` to be a whole number from 1 up, got "9" (string)',
    ],
    [
      { maxFollowersPerSession: 0 },
      "Expected `maxFollowersPerSession` to be a whole number from 1 up, got 0",
    ],
    [{ maxFollowers: untyped(null) }, "Expected `maxFollowers` to be a whole number from 1 up, got null"],
    [{ maxEventBytes: 100 }, "Expected `maxEventBytes` to be a whole number from 1024 up, got 100"],
    [
      { maxEventBytes: 4_096, history: { maxBytes: 2_048 } },
      "Expected `maxEventBytes` to be at most `history.maxBytes` (2048), got 4096",
    ],
    [{ strict: untyped("yes") }, 'Expected `strict` to be a boolean, got "yes" (string)'],
  ])("%j are refused by name", (options, sentence) => {
    expect(() => createEventBus(options)).toThrow(new TypeError(sentence));
  });

  test("may all be undefined", () => {
    const bus = createEventBus({
      history: { maxEvents: undefined, maxBytes: undefined, maxTotalBytes: undefined },
      retentionMs: undefined,
      idleMs: undefined,
      maxSessions: undefined,
      maxFollowersPerSession: undefined,
      maxFollowers: undefined,
      maxEventBytes: undefined,
      strict: undefined,
    });
    expect(bus.publish("s", {})).toBe(true);
    expect(createEventBus({ history: undefined }).publish("s", {})).toBe(true);
  });
});
