import { describe, expect, test } from "vitest";
import {
  createEventBus,
  createReporter,
  currentReporter,
  reportProgress,
  type SessionEventBus,
} from "session-progress";
import { deferred } from "../../support/deferred.ts";
import { settled } from "../../support/event-loop.ts";
import { HostileBackplane, HostileStore } from "../../support/hostile-backplane.ts";
import { warningsDuring } from "../../support/warnings.ts";

const SECRET = "what-nobody-may-log";

function report(): boolean {
  return reportProgress({ message: SECRET });
}

/** Runs that are over before what they began: each resolves with what goes on. */
const OVER: Record<string, (bus: SessionEventBus) => Promise<() => boolean>> = {
  "a stream that is read after `fn` returned": async (bus) => {
    const wanted = deferred<undefined>();
    let taken: boolean | undefined;
    let stream: ReadableStream | undefined;
    const streamed = (): ReadableStream =>
      new ReadableStream({
        start: async (controller) => {
          await wanted.promise;
          taken = report();
          controller.close();
        },
      });
    await bus.start(() => void (stream = streamed()), { sessionId: SECRET }).done;
    wanted.resolve(undefined);
    await stream!.getReader().read();
    return () => taken!;
  },
  "a promise that nobody awaits": async (bus) => {
    const tool = deferred<undefined>();
    let taken: boolean | undefined;
    const { done } = bus.start(() => void tool.promise.then(() => (taken = report())), { sessionId: SECRET });
    await done;
    tool.resolve(undefined);
    await settled();
    return () => taken!;
  },
  "a sibling of what failed": async (bus) => {
    bus.on("run", () => undefined);
    const tool = deferred<undefined>();
    let taken: boolean | undefined;
    const slow = () => tool.promise.then(() => (taken = report()));
    const { done } = bus.start(() => Promise.all([slow(), Promise.reject(new Error("no"))]), {
      sessionId: SECRET,
    });
    await done;
    tool.resolve(undefined);
    await settled();
    return () => taken!;
  },
  "a callback made in a run that keeps its session open": async (bus) => {
    const reporter = deferred<ReturnType<typeof currentReporter>>();
    const kept = { sessionId: SECRET, keepOpen: true };
    await bus.start(() => reporter.resolve(currentReporter()), kept).done;
    const handle = await reporter.promise;
    // Another run of the chat goes on.
    void bus.start(() => new Promise(() => {}), kept);
    return () => handle!.run(report);
  },
  "a reporter of an ended session": (bus) => {
    const reporter = bus.reporter(SECRET);
    bus.end(SECRET);
    return Promise.resolve(() => reporter.report({ message: SECRET }));
  },
  "a reporter that has ended its session": async (bus) => {
    const reporter = bus.reporter(SECRET);
    await reporter.end();
    return () => reporter.report({ message: SECRET });
  },
  "publish to an ended session": (bus) => {
    bus.publish(SECRET, { message: "in time" });
    bus.end(SECRET, { status: "failed" });
    return Promise.resolve(() => bus.publish(SECRET, { message: SECRET }));
  },
  "withSession on an ended session": async (bus) => {
    await bus.start(() => undefined, { sessionId: SECRET }).done;
    return () => bus.withSession(SECRET, report);
  },
  "a sink of an ended session": async (bus) => {
    const sink = bus.sink(SECRET);
    await bus.start(() => undefined, { sessionId: SECRET }).done;
    return () => createReporter(sink).report({ message: SECRET });
  },
};

describe.each(Object.entries(OVER))("a report that comes too late: %s", (_name, begin) => {
  test("is told once a bus, without a word of its session", async () => {
    const warnings = await warningsDuring(async () => {
      const bus = createEventBus();
      const again = await begin(bus);
      for (let i = 0; i < 3; i++) expect(again()).toBe(false);
    });
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain("after its run or session had ended");
    expect(warnings[0]).toMatch(
      /pooled connection.*LangChain.*toUIMessageStreamResponse.*awaits.*`drop` hook/s,
    );
    expect(warnings[0]).not.toContain(SECRET);
  });

  test("is left to the `drop` hook where there is one", async () => {
    const reasons: unknown[] = [];
    const warnings = await warningsDuring(async () => {
      const bus = createEventBus();
      bus.on("drop", (...args) => reasons.push(args));
      (await begin(bus))();
    });
    expect(reasons.length).toBeGreaterThan(0);
    expect(reasons[0]).toEqual([SECRET, "ended", null]);
    expect(warnings).toEqual([]);
  });
});

/** Reports that nobody has made a mistake about. */
const EXPECTED: Record<string, (bus: SessionEventBus) => Promise<boolean>> = {
  "a run goes on after the stop button": async (bus) => {
    const stopped = deferred<undefined>();
    let taken: boolean | undefined;
    const { sessionId } = bus.start(() => stopped.promise.then(() => (taken = report())));
    bus.end(sessionId, { status: "cancelled" });
    stopped.resolve(undefined);
    await settled();
    return taken!;
  },
  "and so after a stop button that says `completed`": async (bus) => {
    const stopped = deferred<undefined>();
    let taken: boolean | undefined;
    const { sessionId } = bus.start(() => stopped.promise.then(() => (taken = report())));
    bus.end(sessionId);
    stopped.resolve(undefined);
    await settled();
    return taken!;
  },
  "its parallel tools go on too, when it has settled": async (bus) => {
    const tool = deferred<undefined>();
    let taken: boolean | undefined;
    const { sessionId } = bus.start(({ signal }) => {
      void tool.promise.then(() => (taken = report()));
      return new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("stopped"))));
    });
    bus.end(sessionId, { status: "cancelled" });
    await settled();
    tool.resolve(undefined);
    await settled();
    return taken!;
  },
  "a run that ended itself early, and works on": async (bus) => {
    let taken: boolean | undefined;
    await bus.start(async ({ reporter }) => {
      await reporter.end();
      taken = report();
    }).done;
    return taken!;
  },
  "another run of its session ended it": async (bus) => {
    const other = deferred<undefined>();
    let taken: boolean | undefined;
    bus.start(() => other.promise.then(() => (taken = report())), { sessionId: "s" });
    await bus.start(() => undefined, { sessionId: "s" }).done;
    other.resolve(undefined);
    await settled();
    return taken!;
  },
  "withSession goes on": async (bus) => {
    const going = deferred<undefined>();
    const answer = bus.withSession("s", () => going.promise.then(report));
    bus.end("s");
    going.resolve(undefined);
    return answer;
  },
  "a handle to a session that was cancelled": (bus) => {
    const reporter = bus.reporter("s");
    bus.end("s", { status: "cancelled" });
    return Promise.resolve(reporter.report({ message: "still at it" }));
  },
  "a handle to an incarnation that is gone": (bus) =>
    Promise.resolve(bus.reporter("s", { epoch: "1" }).report({ message: "retried" })),
  "the bus has closed": async (bus) => {
    const reporter = bus.reporter("s");
    await bus.close();
    return reporter.report({ message: "while shutting down" });
  },
  "another process has ended it": async () => {
    const shared = createEventBus({ backplane: new HostileBackplane(new HostileStore(1)) });
    const going = deferred<undefined>();
    let taken: boolean | undefined;
    shared.start(() => going.promise.then(() => (taken = report())), { sessionId: "s" });
    shared.end("s");
    await shared.flush();
    going.resolve(undefined);
    await settled();
    await shared.close();
    return taken!;
  },
};

test.each(Object.entries(EXPECTED))("no word is said when %s", async (_name, run) => {
  const warnings = await warningsDuring(async () => {
    expect(await run(createEventBus())).toBe(false);
  });
  expect(warnings).toEqual([]);
});

test("a reporter without a bus tells the process, unless it was cancelled", async () => {
  const late = async (status: "cancelled" | "completed"): Promise<void> => {
    const reporter = createReporter(() => undefined);
    await reporter.end({ status });
    expect(reporter.report({ message: SECRET })).toBe(false);
  };
  expect(await warningsDuring(() => late("cancelled"))).toEqual([]);
  expect(await warningsDuring(() => late("completed"))).toEqual([expect.stringContaining("had ended")]);
  expect(await warningsDuring(() => late("completed"))).toEqual([]);
});
