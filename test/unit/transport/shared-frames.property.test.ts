import { createParser } from "eventsource-parser";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { AgentEvent, GapEvent } from "session-progress";
import { Frames, MAX_WRITE_BYTES } from "../../../src/transport/sse/shared-frames.ts";
import { ENTRY_BYTES, SessionLog } from "../../../src/log/session-log.ts";

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

/** What a client that has seen everything up to `from` gets until it has caught up. */
function follow(frames: Frames, from: number): { id: number; data: AgentEvent | GapEvent }[] {
  const seen: { id: number; data: AgentEvent | GapEvent }[] = [];
  const parser = createParser({
    onEvent: ({ id, data }) => {
      seen.push({ id: Number(id?.slice(EPOCH.length + 1)), data: JSON.parse(data) as AgentEvent | GapEvent });
    },
  });
  let position = from;
  for (let chunk = frames.after(position); chunk !== undefined; chunk = frames.after(position)) {
    expect(chunk.from).toBe(position);
    expect(chunk.to).toBeGreaterThan(position);
    const before = seen.length;
    const bytes = chunk.payload!.plain;
    parser.feed(decoder.decode(bytes));
    const blocks = seen.slice(before);
    if (blocks.length > 1) expect(bytes.length).toBeLessThanOrEqual(MAX_WRITE_BYTES);
    expect(blocks.at(-1)?.id).toBe(chunk.to);
    expect(blocks.map(({ data }) => data).filter(({ t }) => t === "gap")).toEqual(chunk.gaps);
    position = chunk.to;
  }
  return seen;
}

test("gives every follower all that was written after its position, or says how much is missing", () => {
  fc.assert(
    fc.property(fc.constantFrom(20, 300, 5_000), steps, (maxEvents, done) => {
      const log = new SessionLog({ maxEvents, maxBytes: 1 << 24 });
      const frames = new Frames(EPOCH, log);
      const written: AgentEvent[] = [];
      for (const step of done) {
        if (step === "forget") frames.forget();
        else if ("write" in step) {
          for (let n = 0; n < step.write; n++) {
            const event = entry(log.head + 1, step.message);
            written.push(event);
            log.append(event, ENTRY_BYTES + new TextEncoder().encode(step.message).length);
          }
        } else {
          const from = Math.round(step.read * log.head);
          const expected: ReturnType<typeof follow> = [];
          const seen = follow(frames, from);
          let position = from;
          for (const { data } of seen) {
            position += data.t === "gap" ? data.missed! : 1;
            expected.push({ id: position, data: data.t === "gap" ? data : written[position - 1]! });
          }
          expect(seen).toEqual(expected);
          expect(position).toBe(log.head);
          if (log.size === log.head) expect(seen).toHaveLength(log.head - from);
        }
      }
    }),
    { numRuns: 60 },
  );
}, 60_000);

describe("how often the past is encoded", () => {
  let encoded = 0;
  const counted = (position: number, size: number): AgentEvent => ({
    ...entry(position, ""),
    data: {
      toJSON: () => {
        encoded++;
        return "x".repeat(size);
      },
    },
  });

  function filledWith(limits: { maxEvents: number; events: number; size: number }): Frames {
    const { maxEvents, events, size } = limits;
    const log = new SessionLog({ maxEvents, maxBytes: 1 << 26 });
    for (let n = 1; n <= events; n++) log.append(counted(n, size), ENTRY_BYTES + size);
    encoded = 0;
    return new Frames(EPOCH, log);
  }

  test("once, for all who come back from anywhere in it", () => {
    const frames = filledWith({ maxEvents: 1_000, events: 1_000, size: 1 });
    for (let from = 0; from < 872; from += 7) follow(frames, from);
    expect(encoded).toBeLessThan(1_200);
  });

  test("once, for all who come back from what is long gone", () => {
    const frames = filledWith({ maxEvents: 1_000, events: 10_000, size: 1 });
    for (let from = 0; from < 9_000; from += 50) follow(frames, from);
    expect(encoded).toBeLessThan(1_300);
  });

  test.each([1_000, 8_000, 32_000])(
    "hardly more than once, for who reads events of %i bytes on his own",
    (size) => {
      const frames = filledWith({ maxEvents: 1_000, events: 600, size });
      let position = 0;
      for (let chunk = frames.after(position); chunk !== undefined; chunk = frames.after(position)) {
        position = chunk.to;
        frames.forget(); // As each report does.
      }
      expect(position).toBe(600);
      expect(encoded).toBeLessThan(700);
    },
  );
});
