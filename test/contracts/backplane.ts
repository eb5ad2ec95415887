import { describe, expect, test } from "vitest";
import {
  type Backplane,
  createEventBus,
  type EventBusOptions,
  reportProgress,
  type SessionEntry,
  type SessionEventBus,
} from "session-progress";
import { sseHandler } from "session-progress/fetch";
import { collect } from "session-progress/testing";
import { cleanups } from "../support/cleanups.ts";
import { describeEvent, positionsOf } from "../support/events.ts";

/** An engine under test. */
export interface Engine {
  /** The engine of one more process; `undefined`: in memory. */
  connect(): Backplane | undefined;
  /** Whether several processes can share it. */
  readonly shared: boolean;
}

/** What every engine must do for a bus: the in-memory one, a hostile one, Redis. Awaits `flush()` where it matters. */
export function backplaneContract(name: string, start: () => Engine): void {
  const cleanup = cleanups();

  function busOn(engine: Engine, options: EventBusOptions = {}): SessionEventBus {
    const bus = createEventBus({ ...options, backplane: engine.connect() });
    cleanup(() => bus.close());
    return bus;
  }

  const own = (entries: readonly SessionEntry[]): string[] =>
    entries.map(describeEvent).filter((said) => said !== "between");

  describe(`a bus on ${name}`, () => {
    test("delivers what is reported, in order, once, at positions without a hole", async () => {
      const bus = busOn(start());
      const following = collect(bus.follow("s"));
      const reporter = bus.reporter("s");
      for (let i = 1; i <= 50; i++) expect(reporter.report({ message: `${i}` })).toBe(true);
      await bus.flush();
      expect(bus.end("s")).toBe(true);
      const entries = await following;
      expect(own(entries)).toEqual([...Array.from({ length: 50 }, (_, i) => `${i + 1}`), "end completed"]);
      expect(positionsOf(entries)).toEqual(entries.map((_, i) => i + 1));
    });

    test("hands listeners what it hands iterators", async () => {
      const bus = busOn(start());
      const heard: string[] = [];
      bus.subscribe("s", (entry) => void heard.push(describeEvent(entry)));
      const following = collect(bus.follow("s"));
      await bus.start(
        async () => {
          for (const message of ["1", "2", "3"]) reportProgress({ message, data: { message } });
          await bus.flush();
          reportProgress({ message: "4" });
        },
        { sessionId: "s" },
      ).done;
      await bus.flush();
      expect(heard).toEqual((await following).map(describeEvent));
      expect(heard.filter((said) => said !== "between")).toEqual(["1", "2", "3", "4", "end completed"]);
    });

    test("refuses what comes after the end, and begins anew only where it is asked to", async () => {
      const bus = busOn(start());
      const { done, opened } = bus.start(() => reportProgress({ message: "first" }), { sessionId: "s" });
      await opened;
      await done;
      await bus.flush();
      const first = await collect(bus.follow("s"));
      expect(bus.publish("s", { message: "late" })).toBe(false);
      expect(bus.reporter("s").report({ message: "late" })).toBe(false);
      expect(bus.end("s")).toBe(false);
      await bus.start(() => reportProgress({ message: "second" }), { sessionId: "s" }).done;
      await bus.flush();
      const second = await collect(bus.follow("s"));
      expect(own(second)).toEqual(["second", "end completed"]);
      const [before, after] = [first, second].map((entries) => BigInt(entries[0]!.id.split("-")[0]!));
      expect(after! > before!).toBe(true);
      expect(own(await collect(bus.follow("s", { after: first[0]!.id })))[0]).toBe("gap reset");
    });

    test("resumes exactly, from every position", async () => {
      const bus = busOn(start());
      const reporter = bus.reporter("s");
      for (let i = 1; i <= 20; i++) reporter.report({ message: `${i}` });
      await bus.flush();
      bus.end("s");
      await bus.flush();
      const all = await collect(bus.follow("s"));
      for (const [i, { id }] of all.entries()) {
        expect(await collect(bus.follow("s", { after: id }))).toEqual(all.slice(i + 1));
      }
    });

    test("never mixes sessions", async () => {
      const bus = busOn(start());
      const ids = Array.from({ length: 20 }, (_, i) => `s-${i}`);
      const following = ids.map((id) => collect(bus.follow(id)));
      for (let n = 0; n < 10; n++) for (const id of ids) bus.publish(id, { message: `${id} ${n}` });
      await bus.flush();
      for (const id of ids) bus.end(id);
      for (const [i, entries] of (await Promise.all(following)).entries()) {
        expect(own(entries)).toEqual([
          ...Array.from({ length: 10 }, (_, n) => `s-${i} ${n}`),
          "end completed",
        ]);
      }
    });

    test("closes open runs before the session, and cancels them", async () => {
      const bus = busOn(start());
      let aborted = false;
      const { done, run } = bus.start(
        ({ signal }) =>
          new Promise<void>((resolve) => {
            signal.addEventListener("abort", () => {
              aborted = true;
              resolve();
            });
          }),
        { sessionId: "s", keepOpen: true },
      );
      await bus.flush();
      expect(bus.end("s", { status: "failed" })).toBe(true);
      expect(await done).toEqual({ status: "cancelled" });
      await bus.flush();
      expect(aborted).toBe(true);
      const entries = await collect(bus.follow("s"));
      expect(own(entries)).toEqual(["run cancelled", "end failed"]);
      expect(entries.find(({ event }) => event.t === "run_end")?.event).toMatchObject({ run });
    });

    test("answers the end's own id with 204", async () => {
      const bus = busOn(start());
      await bus.start(() => undefined, { sessionId: "s" }).done;
      await bus.flush();
      const [end] = await collect(bus.follow("s"));
      const request = new Request("http://localhost/?session_id=s", {
        headers: { "Last-Event-ID": end!.id },
      });
      expect((await sseHandler(bus)(request)).status).toBe(204);
    });
  });

  if (!start().shared) return;

  describe(`processes that share ${name}`, () => {
    test("see the same entries at the same positions, whoever reports", async () => {
      const engine = start();
      const [one, two, three] = [busOn(engine), busOn(engine), busOn(engine)];
      await one.open({ sessionId: "s" });
      const following = [one, two, three].map((bus) => collect(bus.follow("s")));
      for (let i = 0; i < 30; i++) (i % 2 ? one : two).publish("s", { message: `${i}` });
      await one.flush();
      await two.flush();
      three.end("s");
      const [a, b, c] = await Promise.all(following);
      expect(b).toEqual(a);
      expect(c).toEqual(a);
      expect(
        own(a!)
          .slice(0, -1)
          .map(Number)
          .sort((x, y) => x - y),
      ).toEqual(Array.from({ length: 30 }, (_, i) => i));
      expect(positionsOf(a!)).toEqual(a!.map((_, i) => i + 1));
    });

    test("let a follower that comes later, and elsewhere, read everything", async () => {
      const engine = start();
      const one = busOn(engine);
      await one.start(
        () => {
          for (let i = 0; i < 10; i++) reportProgress({ message: `${i}` });
        },
        { sessionId: "s" },
      ).done;
      await one.flush();
      const entries = await collect(busOn(engine).follow("s"));
      expect(own(entries)).toEqual([...Array.from({ length: 10 }, (_, i) => `${i}`), "end completed"]);
    });

    test("stop a run from anywhere", async () => {
      const engine = start();
      const [one, two] = [busOn(engine), busOn(engine)];
      const following = collect(one.follow("s"));
      const { done, opened } = one.start(
        ({ signal }) => new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve())),
        { sessionId: "s" },
      );
      await opened;
      await two.open({ sessionId: "s" });
      expect(two.end("s", { status: "failed", message: "enough" })).toBe(true);
      expect(await done).toEqual({ status: "cancelled" });
      expect(own(await following)).toEqual(["end failed"]);
    });

    test("know the owner that another one set", async () => {
      const engine = start();
      const [one, two] = [busOn(engine), busOn(engine)];
      await one.open({ sessionId: "s", owner: { user: 7 } });
      const owners: unknown[] = [];
      const authorize = (_request: Request, _id: string, owner: unknown): boolean => {
        owners.push(owner);
        return false;
      };
      await sseHandler(two, { authorize })(new Request("http://localhost/?session_id=s"));
      expect(owners).toEqual([{ user: 7 }]);
    });
  });
}
