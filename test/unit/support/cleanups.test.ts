import { describe, expect, test } from "vitest";
import { type Cleanup, cleanups, runLastFirst } from "../../support/cleanups.ts";
import { nextTurn } from "../../support/event-loop.ts";

describe("what a test has to clean up", () => {
  const done: string[] = [];

  describe("is left while it runs", () => {
    const cleanUp = cleanups();

    test.each(["one", "two"])("(%s)", (name) => {
      cleanUp(() => done.push(name));
      expect(done).not.toContain(name);
    });
  });

  test("is cleaned up after it", () => {
    expect(done).toEqual(["one", "two"]);
  });

  test("goes last first, one after the other", async () => {
    const order: string[] = [];
    const slow = (name: string) => async (): Promise<void> => {
      order.push(`${name} begins`);
      await nextTurn();
      order.push(`${name} is over`);
    };
    await runLastFirst([slow("server"), slow("client")]);
    expect(order).toEqual(["client begins", "client is over", "server begins", "server is over"]);
  });

  test("is cleaned up although something before it throws, and what was thrown is told", async () => {
    const failing = (message: string): Cleanup[] => [
      () => {
        throw new Error(message);
      },
    ];
    let closed = 0;
    const close = (): number => ++closed;
    await expect(runLastFirst([close, ...failing("sync"), close])).rejects.toThrow("sync");
    await expect(runLastFirst([close, () => Promise.reject(new Error("async"))])).rejects.toThrow("async");
    await expect(runLastFirst([...failing("one"), close, ...failing("two")])).rejects.toMatchObject({
      message: "2 cleanups have failed",
      errors: [new Error("two"), new Error("one")],
    });
    expect(closed).toBe(4);
  });
});
