import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type AgentEvent,
  createEventBus,
  type Phase,
  type Reporter,
  type SessionEntry,
  type SessionEventBus,
  type StartedRun,
} from "session-progress";
import { eventOf } from "../../../src/log/entry.ts";
import { SessionLog } from "../../../src/log/session-log.ts";
import { describeEvent } from "../../support/events.ts";
import { ModelLog, type Step } from "./log.model.ts";

const PHASES: readonly Phase[] = ["think", "progress", "decision", "result"];

const source = fc.record(
  {
    agent: fc.constantFrom("a", "b", "c", "d"),
    phase: fc.constantFrom(...PHASES),
    run: fc.constantFrom("r1", "r2"),
    task: fc.constantFrom("t1", "t2"),
  },
  { requiredKeys: ["agent", "phase"] },
);

describe("the log itself", () => {
  const append = fc.record({ source, bytes: fc.integer({ min: 1, max: 200 }) });
  const steps = fc.array(
    fc.oneof({ weight: 30, arbitrary: append }, { weight: 1, arbitrary: fc.constant("clear" as const) }),
    { maxLength: 80, size: "max" },
  );

  function both(maxEvents: number, maxBytes: number) {
    const log = new SessionLog({ maxEvents, maxBytes });
    const model = new ModelLog(maxEvents, maxBytes);
    const write = ({ source, bytes }: { source: Partial<AgentEvent>; bytes: number }): void => {
      const says = `#${log.head + 1}`;
      log.append({ t: "agent_event", ts: "", msg: says, ...source } as AgentEvent, bytes);
      model.append({ key: JSON.stringify(Object.entries(source).sort()), says, bytes });
    };
    const readAll = (from: number): Step[] => {
      const read: Step[] = [];
      for (let step = log.read(from); step; step = log.read(step.position)) {
        read.push({ position: step.position, says: describeEvent(eventOf(step.entry)) });
      }
      return read;
    };
    return { log, model, write, readAll };
  }

  test("reads the same as the model, from every position, whatever was written", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 50, max: 4_000 }),
        steps,
        (maxEvents, maxBytes, written) => {
          const { log, model, write, readAll } = both(maxEvents, maxBytes);
          for (const step of written) {
            if (step !== "clear") write(step);
            else for (const one of [log, model]) one.clear();
            if (log.head === model.head && log.size === model.retained.length) continue;
            expect([log.head, log.size]).toEqual([model.head, model.retained.length]);
          }
          expect(log.bytes).toBe(model.bytesOf(model.retained));
          for (let from = 0; from <= log.head; from += 5) expect(readAll(from)).toEqual(model.readAll(from));
          // Only an ended log shrinks: nothing is written to it any more.
          log.shrinkToHead();
          model.shrinkToHead();
          expect(readAll(0)).toEqual(model.readAll(0));
        },
      ),
      { numRuns: 100 },
    );
  });

  test("stays within its bounds, and keeps the newest of each (run, agent, task, phase) while they allow", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 40 }),
        fc.array(append, { maxLength: 80, size: "max" }),
        (maxEvents, written) => {
          const { log, model, write, readAll } = both(maxEvents, 1 << 20);
          for (const step of written) write(step);
          const retained = new Set(
            readAll(0).flatMap(({ says, position }) => (says.startsWith("#") ? position : [])),
          );
          expect(retained.size).toBe(log.size);
          expect(log.size).toBeLessThanOrEqual(maxEvents);
          const newest = model.written.flatMap((_, i) => (model.isNewest(i + 1) ? i + 1 : []));
          if (newest.length <= model.maxKept)
            for (const position of newest) expect(retained).toContain(position);
          if (log.head > 0) expect(retained).toContain(log.head);
          // No entry goes before there are as many as allowed: the tail is at least what is not kept.
          const floor = log.head - (maxEvents - model.maxKept);
          for (let position = Math.max(1, floor + 1); position <= log.head; position++) {
            expect(retained).toContain(position);
          }
        },
      ),
      { numRuns: 100 },
    );
  });

  test("holds nothing beside an entry that alone is over the byte limit", () => {
    const { log, write, readAll } = both(10, 50);
    for (const agent of ["a", "b", "c"]) write({ source: { agent }, bytes: 20 });
    write({ source: { agent: "d" }, bytes: 500 });
    expect([log.size, log.bytes]).toEqual([1, 500]);
    expect(readAll(0).map(({ says }) => says)).toEqual(["gap behind 3", "#4"]);
    write({ source: { agent: "e" }, bytes: 20 });
    expect([log.size, log.bytes]).toEqual([1, 20]);
  });

  test("keeps at most 256 behind the tail", () => {
    const log = new SessionLog({ maxEvents: 1_000, maxBytes: 1 << 20 });
    const write = (agent: string): void => {
      log.append({ t: "agent_event", agent, phase: "think", msg: "", ts: "" }, 1);
    };
    for (let i = 0; i < 600; i++) write(`once-${i}`);
    for (let i = 0; i < 1_000; i++) write("busy");
    const kept: number[] = [];
    for (let step = log.read(0); step !== undefined && step.position <= 600; step = log.read(step.position)) {
      if (step.entry.t === "agent_event") kept.push(step.position);
    }
    expect(kept).toEqual(Array.from({ length: 256 }, (_, i) => 345 + i));
    expect(log.size).toBeLessThanOrEqual(1_000);
  });
});

/** What becomes of one incarnation: its log as the model has it. */
interface Incarnation {
  readonly log: ModelLog;
  readonly epoch: string;
  ended: boolean;
}

/** A follower, and where the model says it stands. */
interface Cursor {
  readonly iterator: AsyncIterator<SessionEntry, undefined>;
  incarnation: Incarnation | undefined;
  readonly start: number;
  position: number;
  reset: boolean;
  received: number;
  missed: number;
  done: boolean;
}

type After =
  | { kind: "start" | "now" }
  | { kind: "position"; offset: number }
  | { kind: "foreign"; position: number }
  | { kind: "malformed"; id: string };

type Command =
  | { do: "publish"; agent: string; phase: Phase }
  | { do: "open" | "reporter" | "start" | "end" | "turn" | "check" }
  | { do: "report" | "endRun" | "read"; which: number }
  | { do: "follow" | "subscribe"; after: After };

const after: fc.Arbitrary<After> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom("start" as const, "now" as const) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("position" as const),
      offset: fc.integer({ min: -30, max: 2 }),
    }),
  },
  fc.record({ kind: fc.constant("foreign" as const), position: fc.integer({ min: 0, max: 20 }) }),
  fc.record({
    kind: fc.constant("malformed" as const),
    id: fc.constantFrom("x", "1", "1-", "-1", "1-1-1", "١-١", "1e1-1", " 1-1", "1-1\n", "undefined", "🐢"),
  }),
);

const which = fc.nat({ max: 7 });
const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      do: fc.constant("publish" as const),
      agent: fc.constantFrom("a", "b", "c"),
      phase: fc.constantFrom(...PHASES),
    }),
  },
  { weight: 8, arbitrary: fc.record({ do: fc.constant("read" as const), which }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant("report" as const), which }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constantFrom("follow" as const, "subscribe" as const), after }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom("start" as const, "open" as const, "reporter" as const, "turn" as const),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("endRun" as const), which }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("end" as const, "check" as const) }) },
);

/** A bus and its model, driven by the same commands. */
class Rig {
  readonly #bus: SessionEventBus;
  readonly #maxEvents: number;
  readonly #epochs: bigint[] = [];
  readonly #cursors: Cursor[] = [];
  readonly #listeners: { heard: string[]; expected: string[]; incarnation: Incarnation | undefined }[] = [];
  readonly #reporters: {
    reporter: Reporter;
    incarnation: Incarnation;
    run?: string | undefined;
    over: boolean;
  }[] = [];
  #current: Incarnation | undefined;
  #count = 0;

  constructor(maxEvents: number) {
    this.#maxEvents = maxEvents;
    this.#bus = createEventBus({ history: { maxEvents } });
  }

  async apply(command: Command): Promise<void> {
    switch (command.do) {
      case "publish":
        return this.#publish(command.agent, command.phase);
      case "open":
        void this.#bus.open({ sessionId: "s" });
        return this.#keep(this.#bus.reporter("s"));
      case "reporter":
        return this.#keep(this.#bus.reporter("s"));
      case "start":
        return this.#start();
      case "report":
        return this.#report(command.which);
      case "endRun":
        return this.#endRun(command.which);
      case "end":
        return this.#end();
      case "follow":
        return this.#follow(command.after);
      case "subscribe":
        return this.#subscribe(command.after);
      case "read":
        await this.#read(this.#cursors[command.which]);
        return;
      case "turn":
        return this.#bus.flush();
      case "check":
        return this.check();
    }
  }

  /** Everybody catches up; then nothing may be missing. */
  async check(): Promise<void> {
    for (const cursor of this.#cursors) while (await this.#read(cursor));
    for (const { incarnation, start, received, missed } of this.#cursors) {
      if (incarnation !== undefined) expect(received + missed).toBe(incarnation.log.head - start);
    }
    for (const { heard, expected } of this.#listeners) expect(heard).toEqual(expected);
    for (let i = 1; i < this.#epochs.length; i++) expect(this.#epochs[i]! > this.#epochs[i - 1]!).toBe(true);
  }

  /** An incarnation has begun: whoever waited is at its position 0, the one before is only its end. */
  #begin(epoch: string): void {
    if (this.#current?.epoch === epoch) return;
    expect(this.#current?.ended ?? true).toBe(true);
    this.#current?.log.shrinkToHead();
    this.#current = { log: new ModelLog(this.#maxEvents), epoch, ended: false };
    this.#epochs.push(BigInt(epoch));
    for (const follower of [...this.#cursors, ...this.#listeners]) follower.incarnation ??= this.#current;
  }

  #append(key: string, says: string): void {
    this.#current!.log.append({ key, says, bytes: 1 });
    for (const { incarnation, expected } of this.#listeners)
      if (incarnation === this.#current) expected.push(says);
  }

  /** A reporter of the current incarnation, which it may have begun. */
  #keep(reporter: Reporter, run?: string): void {
    this.#begin(reporter.epoch!);
    this.#reporters.push({ reporter, incarnation: this.#current!, run, over: false });
  }

  #publish(agent: string, phase: Phase): void {
    // `publish` opens a session that nobody has opened; its epoch is known afterwards.
    const message = `#${++this.#count}`;
    const takes = this.#current?.ended !== true;
    expect(this.#bus.publish("s", { agent, phase, message })).toBe(takes);
    if (!takes) return;
    if (this.#current === undefined) this.#begin(this.#bus.reporter("s").epoch!);
    this.#append(`${agent} ${phase}`, message);
  }

  #start(): void {
    const started: { run?: StartedRun; reporter?: Reporter } = {};
    const never = new Promise<never>(() => undefined);
    started.run = this.#bus.start(({ reporter }) => ((started.reporter = reporter), never), {
      sessionId: "s",
      keepOpen: true,
    });
    this.#keep(started.reporter!, started.run.run);
  }

  #report(which: number): void {
    const one = this.#reporters[which];
    if (one === undefined) return;
    const message = `#${++this.#count}`;
    const takes = !one.incarnation.ended && !one.over;
    expect(one.reporter.report({ message })).toBe(takes);
    if (takes) this.#append(`agent progress ${one.run ?? ""}`, message);
  }

  async #endRun(which: number): Promise<void> {
    const one = this.#reporters[which];
    if (one?.run === undefined) return;
    await one.reporter.end();
    if (one.over || one.incarnation.ended) return;
    one.over = true;
    this.#append(`end of ${one.run}`, "run completed");
  }

  #end(): void {
    const ends = this.#current?.ended === false;
    expect(this.#bus.end("s")).toBe(ends);
    if (!ends) return;
    for (const one of this.#reporters) {
      if (one.run === undefined || one.over || one.incarnation !== this.#current) continue;
      one.over = true;
      this.#append(`end of ${one.run}`, "run cancelled");
    }
    this.#append("end", "end completed");
    this.#current!.ended = true;
  }

  /** What `after` is for the bus, and where the model says it starts. */
  #resolve(after: After): { after: string; position: number; reset: boolean } {
    const { epoch = "0", ended = false } = this.#current ?? {};
    const head = this.#current?.log.head ?? 0;
    switch (after.kind) {
      case "start":
        return { after: "start", position: 0, reset: false };
      case "now":
        return { after: "now", position: head - (ended ? 1 : 0), reset: false };
      case "position": {
        const position = Math.max(0, head + after.offset);
        const future = position > head;
        return { after: `${epoch}-${position}`, position: future ? 0 : position, reset: future };
      }
      case "foreign": {
        const foreign = this.#epochs.length > 1 ? this.#epochs.at(-2)! : 77n;
        // Position 0 means that nothing was seen yet, in whichever incarnation.
        return { after: `${foreign}-${after.position}`, position: 0, reset: after.position > 0 };
      }
      case "malformed":
        return { after: after.id, position: 0, reset: true };
    }
  }

  #follow(where: After): void {
    const { after, position, reset } = this.#resolve(where);
    const iterator = this.#bus.follow("s", { after })[Symbol.asyncIterator]() as Cursor["iterator"];
    const incarnation = this.#current;
    this.#cursors.push({
      iterator,
      incarnation,
      start: position,
      position,
      reset,
      received: 0,
      missed: 0,
      done: false,
    });
  }

  #subscribe(where: After): void {
    const { after, position, reset } = this.#resolve(where);
    const heard: string[] = [];
    const expected = reset ? ["gap reset"] : [];
    expected.push(...(this.#current?.log.readAll(position) ?? []).map(({ says }) => says));
    this.#bus.subscribe("s", (entry) => void heard.push(describeEvent(entry)), { after });
    expect(heard).toEqual(expected);
    this.#listeners.push({ heard, expected, incarnation: this.#current });
  }

  /**
   * Reads one step, if the model has one. What arrives must be the model's, or, of what an iterator that kept up holds
   * of a long turn, the very next that was written, though the log has compacted it since.
   */
  async #read(cursor: Cursor | undefined): Promise<boolean> {
    if (cursor === undefined || cursor.done) return false;
    const { incarnation, iterator, position } = cursor;
    let next = cursor.reset ? { position, says: "gap reset" } : incarnation?.log.read(position);
    if (next === undefined) return false;
    const { value } = await iterator.next();
    const says = describeEvent(value!);
    const isHeld = !cursor.reset && next.says.startsWith("gap") && says !== next.says;
    if (isHeld) next = { position: position + 1, says: incarnation!.log.at(position + 1).says };
    expect(value).toMatchObject({ id: `${incarnation?.epoch ?? "0"}-${next.position}` });
    expect(says).toBe(next.says);
    if (cursor.reset) cursor.reset = false;
    else if (next.says.startsWith("gap")) cursor.missed += next.position - position;
    else cursor.received++;
    cursor.position = next.position;
    if (next.says === "end completed") {
      expect(await iterator.next()).toEqual({ done: true, value: undefined });
      cursor.done = true;
    }
    return true;
  }
}

describe("followers of a session", () => {
  test("read what the model says: in order, with a gap for each hole, through ends and new incarnations", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 20 }),
        fc.array(command, { maxLength: 100, size: "max" }),
        async (maxEvents, commands) => {
          const rig = new Rig(maxEvents);
          for (const command of commands) await rig.apply(command);
          await rig.check();
        },
      ),
      { numRuns: 100 },
    );
  });
});
