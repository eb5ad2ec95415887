import { createParser } from "eventsource-parser";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { AgentEvent, GapEvent } from "session-progress";
import { type Follower, Session } from "../../../src/bus/session.ts";
import { Cursor } from "../../../src/log/cursor.ts";
import { entryBytes, type LogEntry, TextEntry } from "../../../src/log/entry.ts";
import { MAX_BATCH_BYTES } from "../../../src/transport/format.ts";
import { SharedBatches } from "../../../src/transport/shared-batches.ts";
import { eventStreamFormat } from "../../../src/transport/sse/event-stream.ts";
import type { SharedBytes } from "../../../src/transport/sse/shared-bytes.ts";

const EPOCH = "7";
const decoder = new TextDecoder();

const message = fc.oneof(
  { weight: 12, arbitrary: fc.constantFrom("", "\n\n", "id: 1\r\n\r\n", "Fürth 👩‍🚀") },
  { weight: 1, arbitrary: fc.constantFrom("x".repeat(3_000), "é".repeat(20_000)) },
);
const steps = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: fc.record({ write: fc.integer({ min: 1, max: 200 }), message }) },
    // Where a follower stands, of all that was written.
    { weight: 5, arbitrary: fc.record({ read: fc.double({ min: 0, max: 1, noNaN: true }) }) },
    { weight: 1, arbitrary: fc.constant("forget" as const) },
  ),
  { maxLength: 16, size: "max" },
);

function entry(position: number, text: string): AgentEvent {
  return {
    t: "agent_event",
    agent: `a${position % 7}`,
    phase: "progress",
    msg: `${position} ${text}`,
    ts: "",
  };
}

const NOBODY: Follower = { pump: () => undefined, disconnect: () => undefined };
const format = eventStreamFormat({ keepAliveMs: 1, retryMs: 1 });

/** One session's log, what is encoded of it, and how many entries, without gaps, were encoded, how often. */
class Shared {
  readonly session: Session;
  readonly batches: SharedBatches<SharedBytes>;
  encoded = 0;
  bytes = 0;

  constructor(maxEvents: number) {
    this.session = new Session("s", { maxEvents, maxBytes: 1 << 26 });
    this.session.epoch = EPOCH;
    this.session.followers = new Set([NOBODY, { ...NOBODY }]);
    const counting = {
      ...format,
      encode: (...[epoch, step]: Parameters<typeof format.encode>) => {
        if (step.entry.t !== "gap") this.encoded++;
        return format.encode(epoch, step);
      },
    };
    this.batches = new SharedBatches(this.session, counting, (bytes) => (this.bytes += bytes));
  }

  append(entry: LogEntry): void {
    this.session.log.append(entry, entryBytes(entry));
  }

  cursor(position: number): Cursor {
    return new Cursor(this.session, { position, resume: "resumed" });
  }
}

/** What a client that has seen everything up to `from` gets until it has caught up. */
function follow(shared: Shared, from: number): { id: number; data: AgentEvent | GapEvent }[] {
  const seen: { id: number; data: AgentEvent | GapEvent }[] = [];
  const parser = createParser({
    onEvent: ({ id, data }) => {
      seen.push({ id: Number(id?.slice(EPOCH.length + 1)), data: JSON.parse(data) as AgentEvent | GapEvent });
    },
  });
  const cursor = shared.cursor(from);
  for (let batch = shared.batches.after(cursor); batch !== undefined; batch = shared.batches.after(cursor)) {
    expect(batch.from).toBe(cursor.position);
    expect(batch.to).toBeGreaterThan(cursor.position);
    const before = seen.length;
    const bytes = batch.payload!.plain;
    parser.feed(decoder.decode(bytes));
    const blocks = seen.slice(before);
    if (blocks.length > 1) expect(bytes.length).toBeLessThanOrEqual(MAX_BATCH_BYTES);
    expect(blocks.at(-1)?.id).toBe(batch.to);
    expect(blocks.map(({ data }) => data).filter(({ t }) => t === "gap")).toEqual(batch.gaps);
    cursor.advance(batch);
  }
  return seen;
}

test("gives every follower all that was written after its position, or says how much is missing", () => {
  fc.assert(
    fc.property(fc.constantFrom(20, 300, 5_000), steps, (maxEvents, done) => {
      const shared = new Shared(maxEvents);
      const { log } = shared.session;
      const written: AgentEvent[] = [];
      for (const step of done) {
        if (step === "forget") {
          shared.batches.clear();
          expect(shared.bytes).toBe(0);
        } else if ("write" in step) {
          for (let n = 0; n < step.write; n++) {
            const event = entry(log.head + 1, step.message);
            written.push(event);
            shared.append(event);
          }
        } else {
          const from = Math.round(step.read * log.head);
          const expected: ReturnType<typeof follow> = [];
          const seen = follow(shared, from);
          let position = from;
          for (const { data } of seen) {
            position += data.t === "gap" ? data.missed! : 1;
            expected.push({ id: position, data: data.t === "gap" ? data : written[position - 1]! });
          }
          expect(seen).toEqual(expected);
          expect(position).toBe(log.head);
          if (log.size === log.head) expect(seen).toHaveLength(log.head - from);
        }
        expect(shared.bytes).toBe(shared.batches.bytes);
      }
    }),
    { numRuns: 60 },
  );
});

describe("how often the past is encoded", () => {
  function filledWith(limits: { maxEvents: number; events: number; size: number }): Shared {
    const { maxEvents, events, size } = limits;
    const shared = new Shared(maxEvents);
    for (let n = 1; n <= events; n++) shared.append(entry(n, "x".repeat(size)));
    return shared;
  }

  test("once, for all who come back from anywhere in it", () => {
    const shared = filledWith({ maxEvents: 1_000, events: 1_000, size: 1 });
    for (let from = 0; from < 872; from += 7) follow(shared, from);
    expect(shared.encoded).toBeLessThan(1_200);
  });

  test("once, for all who come back from what is long gone", () => {
    const shared = filledWith({ maxEvents: 1_000, events: 10_000, size: 1 });
    for (let from = 0; from < 9_000; from += 50) follow(shared, from);
    // Each one's gap is its own.
    expect(shared.encoded).toBeLessThan(1_000 + 2 * 180 + 100);
  });

  test("once, for all who are offered a turn of few but large events", () => {
    const shared = filledWith({ maxEvents: 1_000, events: 98, size: 5_000 });
    for (let follower = 0; follower < 50; follower++) follow(shared, 0);
    expect(shared.encoded).toBeLessThan(120);
  });

  test.each([1_000, 8_000, 32_000])(
    "hardly more than once, for who reads events of %i bytes on his own",
    (size) => {
      const shared = filledWith({ maxEvents: 1_000, events: 600, size });
      const cursor = shared.cursor(0);
      for (let batch = shared.batches.after(cursor); batch; batch = shared.batches.after(cursor)) {
        cursor.advance(batch);
        shared.batches.beginTurn();
      }
      expect(cursor.position).toBe(600);
      expect(shared.encoded).toBeLessThan(1_100);
    },
  );

  test.each([
    ["from its start", () => 0],
    ["from anywhere", (follower: number) => (follower * 37) % 900],
  ])("once, for all who read large events %s, each at a pace of their own", (_where, start) => {
    const shared = filledWith({ maxEvents: 2_000, events: 1_000, size: 5_000 });
    const cursors = Array.from({ length: 60 }, (_, follower) => shared.cursor(start(follower)));
    // The turns of those who report meanwhile.
    for (let turn = 0; cursors.some(({ position }) => position < 1_000); turn++) {
      shared.batches.beginTurn();
      for (const [follower, cursor] of cursors.entries()) {
        if ((turn + follower) % (1 + (follower % 13)) > 0 || cursor.position >= 1_000) continue;
        cursor.advance(shared.batches.after(cursor)!);
      }
    }
    expect(shared.encoded).toBeLessThan(2_000);
  });
});

test.each([1, 2])(
  "what is read for filters is counted, and little of it is kept: %i followers",
  (followers) => {
    const shared = new Shared(10_000);
    if (followers === 1) shared.session.followers = new Set([NOBODY]);
    const event: AgentEvent = { ...entry(1, ""), data: null };
    for (let n = 0; n < 5_000; n++) {
      const data = JSON.stringify(Array.from({ length: 60 }, (_, index) => ({ index, n })));
      shared.append(new TextEntry(event, `${JSON.stringify(event).slice(0, -1)},"data":${data}}`));
    }
    const cursor = shared.cursor(0);
    const admit = (): boolean => false;
    for (let batch = shared.batches.withheld(cursor, admit); batch;) {
      cursor.advance(batch);
      batch = shared.batches.withheld(cursor, admit);
    }
    expect(cursor.position).toBe(5_000);
    expect(shared.bytes).toBe(shared.batches.bytes);
    expect(shared.bytes > 0).toBe(followers > 1);
    expect(shared.bytes).toBeLessThanOrEqual(2 << 20);
  },
);
