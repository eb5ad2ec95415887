import { describe, expect, test } from "vitest";
import { bindReporter, createEventBus, type Reporter, reportProgress } from "session-progress";
import { describeEvent } from "../../support/events.ts";
import { readEntries } from "../../support/session-entries.ts";

// Frameworks look at functions before they call them: Express takes one of four parameters for an error handler.

const FUNCTIONS: [fn: (...args: never[]) => unknown, length: number, name: string][] = [
  [
    function none() {
      return 0;
    },
    0,
    "none",
  ],
  [
    function errorHandler(_err: unknown, _req: unknown, _res: unknown, _next: unknown) {
      return 4;
    },
    4,
    "errorHandler",
  ],
  [(_a: unknown, _b = 2) => 1, 1, ""],
  [(..._rest: unknown[]) => 0, 0, ""],
  [
    async function later(_a: unknown, _b: unknown) {
      return 2;
    },
    2,
    "later",
  ],
  [
    {
      method(_a: unknown) {
        return 1;
      },
    }.method,
    1,
    "method",
  ],
  [Object.defineProperty((_a: unknown) => 1, "name", { value: "given later" }), 1, "given later"],
  [((_a: unknown, _b: unknown) => 2).bind(null), 2, "bound "],
];

describe("bindReporter keeps", () => {
  test.each(FUNCTIONS.map(([fn, length, name], n) => ({ n, fn, length, name })))(
    "length $length and name $name ($n), inside a session and outside of any",
    ({ fn, length, name }) => {
      const outside = bindReporter(fn);
      const inside = createEventBus()
        .reporter("s")
        .run(() => bindReporter(fn));
      for (const bound of [outside, inside]) {
        expect(bound).toHaveLength(length);
        expect(bound.name).toBe(name);
        // As functions have them: not in the way of who lists or copies properties.
        expect(Object.keys(bound)).toEqual([]);
        expect(Object.getOwnPropertyDescriptor(bound, "length")).toMatchObject({
          configurable: true,
          enumerable: false,
        });
        expect(Object.getOwnPropertyDescriptor(bound, "name")).toMatchObject({
          configurable: true,
          enumerable: false,
        });
      }
    },
  );

  test("what `this` is, what it is called with, what it returns and what it throws", () => {
    const bound = bindReporter(function (this: unknown, a: number, b: number) {
      if (a < 0) throw new Error("negative");
      return [this, a + b];
    });
    const here = { bound };
    expect(here.bound(1, 2)).toEqual([here, 3]);
    expect(() => here.bound(-1, 0)).toThrow("negative");
  });

  test("what it binds to, also twice", () => {
    const bus = createEventBus();
    const reporter: Reporter = bus.reporter("s");
    const bound = reporter.run(() => bindReporter((message: string) => reportProgress({ message })));
    bus.reporter("other").run(() => bound("bound"));
    const twice = bus.reporter("other").run(() => bindReporter(bound));
    twice("the inner one wins");
    expect(twice).toHaveLength(1);
    expect(readEntries(bus, "s").map(describeEvent)).toEqual(["bound", "the inner one wins"]);
  });

  test("nothing that is no name", () => {
    const odd = Object.defineProperty(() => 7, "name", { value: 42 });
    expect(bindReporter(odd)()).toBe(7);
  });
});
