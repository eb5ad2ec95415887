import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createEventBus, type EventBusOptions } from "session-progress";
import { Actor, SESSIONS, steps } from "./bus.steps.ts";

// Whatever is done to a bus, by whom and in which order: no limit in bytes is ever exceeded.

interface Limits {
  readonly maxEvents: number;
  readonly maxBytes: number;
  readonly maxTotalBytes: number;
  readonly maxSessions: number;
  readonly maxEventBytes: number;
}

const limits: fc.Arbitrary<Limits> = fc
  .record({
    maxEvents: fc.integer({ min: 1, max: 64 }),
    maxBytes: fc.integer({ min: 1_024, max: 200_000 }),
    maxTotalBytes: fc.oneof(fc.integer({ min: 1_024, max: 400_000 }), fc.constantFrom(1_024, 2_048, 4_096)),
    maxSessions: fc.integer({ min: 1, max: SESSIONS + 2 }),
    maxEventBytes: fc.integer({ min: 1_024, max: 200_000 }),
  })
  .map((given) => ({ ...given, maxEventBytes: Math.min(given.maxEventBytes, given.maxBytes) }));

function optionsOf({ maxSessions, maxEventBytes, ...history }: Limits): EventBusOptions {
  return { history, maxSessions, maxEventBytes };
}

describe("the limits of a bus", () => {
  test("hold at every moment, whatever is done to it", { timeout: 300_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(limits, steps, async (limits, taken) => {
        const bus = createEventBus(optionsOf(limits));
        bus.on("error", () => undefined);
        let highest = 0;
        let longest = 0;
        const look = (): void => {
          const { bytes } = bus.stats();
          if (!Number.isSafeInteger(bytes) || bytes < 0) throw new Error(`${bytes} bytes`);
          highest = Math.max(highest, bytes);
        };
        bus.on("event", (_id, { event }) => {
          longest = Math.max(longest, Buffer.byteLength(JSON.stringify(event)));
          look();
        });
        const actor = new Actor(bus);
        for (const step of taken) {
          await actor.take(step);
          look();
        }
        await actor.finish();
        look();
        await bus.close();
        expect(bus.stats()).toMatchObject({ sessions: 0, followers: 0, bytes: 0 });
        expect(highest).toBeLessThanOrEqual(limits.maxTotalBytes);
        expect(longest).toBeLessThanOrEqual(limits.maxEventBytes);
      }),
      { numRuns: 200 },
    );
  });
});
