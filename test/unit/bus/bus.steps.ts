import fc from "fast-check";
import type { SessionEventBus } from "session-progress";
import { sseHandler } from "session-progress/fetch";
import { followOverWebSocket } from "session-progress/websocket";
import { type Deferred, deferred } from "../../support/deferred.ts";
import { settled } from "../../support/event-loop.ts";
import { untyped } from "../../support/untyped.ts";

// Steps that anybody may take with a bus, as data, so that a counterexample can be read.

/** So many sessions are there. */
export const SESSIONS = 8;

/** Data by its shape: how many of what. */
type Shape = readonly [kind: keyof typeof SHAPES, count: number];

/** Data whose JSON, whose objects and whose text differ as much as they can in what they take. */
const SHAPES = {
  text: (count: number) => ({ text: "x".repeat(count * 10) }),
  wideText: (count: number) => ({ text: "💡ä".repeat(count * 3) }),
  escapes: (count: number) => ({ text: "\u0001".repeat(count * 3) }),
  objects: (count: number) => Array.from({ length: count }, () => ({})),
  arrays: (count: number) => Array.from({ length: count }, () => []),
  numbers: (count: number) => Array.from({ length: count }, (_, n) => n * 1.5),
  keys: (count: number) => Object.fromEntries(Array.from({ length: count }, (_, n) => [`key ${n}`, n])),
  nested: (count: number) => JSON.parse("[".repeat(count + 1) + "]".repeat(count + 1)) as unknown,
  bad: () => 1n,
};

const shape: fc.Arbitrary<Shape> = fc.tuple(
  fc.constantFrom(...(Object.keys(SHAPES) as (keyof typeof SHAPES)[])),
  fc.integer({ min: 0, max: 600 }),
);

const session = fc.integer({ min: 0, max: SESSIONS - 1 }).map((n) => `s-${n}`);

/** Words by their letter and how often it stands there. */
const word = fc.tuple(
  fc.constantFrom("x", "\0", "ä", "💡", '"', "\n"),
  fc.oneof(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 0, max: 9_000 })),
);

const phase = fc.constantFrom("think" as const, "progress" as const, "decision" as const, "result" as const);

const STEPS = {
  report: fc.record(
    {
      session,
      times: fc.integer({ min: 1, max: 12 }),
      agent: word,
      kind: fc.nat(40),
      phase,
      message: word,
      shape,
    },
    { requiredKeys: ["session", "times"] },
  ),
  foreign: fc.record(
    { session, msg: word, run: word, task: word, shape },
    { requiredKeys: ["session", "msg"] },
  ),
  end: fc.record({ session, message: word, shape }, { requiredKeys: ["session"] }),
  run: fc.record({ session, keepOpen: fc.boolean(), owner: fc.nat(2), shape }),
  follow: fc.record({
    session,
    how: fc.constantFrom("listener", "iterator", "stream", "stalled stream", "socket"),
  }),
  finish: fc.record({ which: fc.nat(3) }),
  turn: fc.record({ flush: fc.boolean() }),
  open: fc.record({ session }),
  withSession: fc.record({ session }),
  disconnect: fc.record({ session }),
};

type Steps = { [Name in keyof typeof STEPS]: { do: Name } & ArbitraryValue<(typeof STEPS)[Name]> };
type ArbitraryValue<A> = A extends fc.Arbitrary<infer T> ? T : never;

/** A step, with all that it needs. */
export type Step = Steps[keyof Steps];

const WEIGHTS: Record<keyof typeof STEPS, number> = {
  report: 12,
  foreign: 2,
  end: 2,
  run: 2,
  follow: 3,
  finish: 2,
  turn: 3,
  open: 1,
  withSession: 1,
  disconnect: 1,
};

/** Any steps, one after the other. */
export const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    ...(Object.keys(STEPS) as (keyof typeof STEPS)[]).map((name) => ({
      weight: WEIGHTS[name],
      arbitrary: (STEPS[name] as fc.Arbitrary<object>).map((given) => ({ do: name, ...given }) as Step),
    })),
  ),
  { minLength: 1, maxLength: 60, size: "max" },
);

/** Takes steps with a bus, and ends what they have begun. */
export class Actor {
  readonly #bus: SessionEventBus;
  /** What goes on: runs and followers, each with what ends it. */
  readonly #going: (() => unknown)[] = [];

  constructor(bus: SessionEventBus) {
    this.#bus = bus;
  }

  async take(step: Step): Promise<void> {
    const bus = this.#bus;
    switch (step.do) {
      case "report": {
        const { session, times, agent, kind, phase, message, shape } = step;
        const name = agent === undefined ? `agent ${kind ?? 0}` : text(agent).slice(0, 256) || "agent";
        const report = {
          agent: name,
          ...(phase !== undefined && { phase }),
          ...(message !== undefined && { message: text(message) }),
          ...(shape !== undefined && { data: dataOf(shape) }),
        };
        for (let n = 0; n < times; n++) bus.publish(session, report);
        return;
      }
      case "foreign": {
        const { session, msg, run, task, shape } = step;
        const more = {
          ...(run !== undefined && { run: text(run) }),
          ...(task !== undefined && { task: text(task) }),
          ...(shape !== undefined && { data: dataOf(shape) }),
        };
        const event = { t: "agent_event", agent: "a", phase: "think", msg: text(msg), ts: TS, ...more };
        bus.sink(session).event(untyped(event));
        return;
      }
      case "end": {
        const { session, message, shape } = step;
        bus.end(session, {
          ...(message !== undefined && { message: text(message) }),
          ...(shape !== undefined && { data: dataOf(shape) }),
        });
        return;
      }
      case "run":
        this.#run(step);
        return;
      case "follow":
        await this.#follow(step);
        return;
      case "finish":
        await Promise.resolve(this.#going.splice(step.which, 1)[0]?.());
        return;
      case "turn":
        await (step.flush ? bus.flush() : settled());
        return;
      case "open":
        await bus.open({ sessionId: step.session });
        return;
      case "withSession":
        bus.withSession(step.session, () => undefined);
        return;
      case "disconnect":
        bus.disconnect(step.session);
    }
  }

  /** Ends everything that still goes on. */
  async finish(): Promise<void> {
    for (const end of this.#going.splice(0)) void end();
    await settled();
  }

  #run({ session, keepOpen, owner, shape }: Steps["run"]): void {
    const held: Deferred<void> = deferred();
    this.#bus.start(
      async ({ reporter }) => {
        reporter.report({ message: "running" });
        await held.promise;
      },
      { sessionId: session, keepOpen, result: () => dataOf(shape), ...(owner > 0 && { owner }) },
    );
    this.#going.push(held.resolve);
  }

  async #follow({ session, how }: Steps["follow"]): Promise<void> {
    const bus = this.#bus;
    if (how === "listener") {
      this.#going.push(bus.subscribe(session, () => undefined));
    } else if (how === "iterator") {
      const iterator = bus.follow(session)[Symbol.asyncIterator]();
      iterator.next().catch(() => undefined);
      this.#going.push(() => void iterator.return?.());
    } else if (how === "socket") {
      const socket = { send: () => undefined, close: () => undefined };
      this.#going.push(followOverWebSocket(bus, session, socket));
    } else {
      const stop = new AbortController();
      const request = new Request(`http://localhost/?session_id=${session}`, { signal: stop.signal });
      const response = await sseHandler(bus)(request);
      if (how === "stream") response.text().catch(() => undefined);
      this.#going.push(() => stop.abort());
    }
  }
}

const TS = "2026-11-22T08:37:06.927Z";

function text([letter, times]: readonly [string, number]): string {
  return letter.repeat(times);
}

function dataOf([kind, count]: Shape): unknown {
  return SHAPES[kind](count);
}
