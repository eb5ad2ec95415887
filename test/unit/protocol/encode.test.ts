import { createParser, type EventSourceMessage } from "eventsource-parser";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { encodeComment, encodeEvent, type EventStreamBlock } from "session-progress/sse";
import { untyped } from "../../support/untyped.ts";

interface Parsed {
  messages: EventSourceMessage[];
  comments: string[];
  retries: number[];
}

function parse(chunks: Iterable<string>): Parsed {
  const parsed: Parsed = { messages: [], comments: [], retries: [] };
  const parser = createParser({
    onEvent: (message) => parsed.messages.push(message),
    onComment: (comment) => parsed.comments.push(comment),
    onRetry: (retry) => parsed.retries.push(retry),
    onError: (error) => {
      throw error;
    },
  });
  for (const chunk of chunks) parser.feed(chunk);
  return parsed;
}

/** `text` cut at `cuts`, fractions of its length. */
function cutAt(text: string, cuts: readonly number[]): string[] {
  const at = [0, ...cuts.map((cut) => Math.floor(cut * text.length)).sort((a, b) => a - b), text.length];
  return at.slice(1).map((end, i) => text.slice(at[i], end));
}

/** How the client joins lines: LF, whichever line break they had. */
function joined(text: string): string {
  return text.replaceAll(/\r\n|\r/g, "\n");
}

const text = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.string({
    unit: fc.constantFrom("\r", "\n", "\r\n", ":", " ", "data", "id: ", "event: ", "\0", "é", "🐢", "\uFEFF"),
  }),
);
const line = text.map((value) => value.replaceAll(/[\r\n\0]/g, ""));

describe("encodeEvent", () => {
  test("is what every client reads back, however the bytes are cut", () => {
    const block = fc.record({ id: line, event: line, data: text }, { requiredKeys: ["data"] });
    fc.assert(
      fc.property(
        fc.array(block, { maxLength: 5 }),
        fc.array(fc.double({ min: 0, max: 1, noNaN: true })),
        (blocks, cuts) => {
          const encoded = blocks.map(encodeEvent).join("");
          const { messages } = parse(cutAt(encoded, cuts));
          expect(messages).toEqual(
            blocks.map(({ id, event, data }) => ({
              id,
              event: event === "" ? undefined : event,
              data: joined(data),
            })),
          );
        },
      ),
      { numRuns: 500 },
    );
  });

  test("survives every single cut, character by character", () => {
    const encoded =
      encodeEvent({ retry: 2_140 }) +
      encodeEvent({ id: "7-1", event: "agent", data: '{"msg":"zwölf\\n🐢"}' }) +
      encodeComment("keep-alive") +
      encodeEvent({ id: "7-2", data: "two\nlines\r\nand\rmore" });
    const whole = parse([encoded]);
    expect(whole).toMatchObject({ retries: [2_140], comments: ["keep-alive"] });
    expect(whole.messages).toHaveLength(2);
    for (let at = 0; at <= encoded.length; at++) {
      expect(parse([encoded.slice(0, at), encoded.slice(at)])).toEqual(whole);
    }
    expect(parse(encoded)).toEqual(whole);
  });

  test("writes the fields in the order of the wire", () => {
    expect(encodeEvent({ data: "{}", event: "agent", id: "1-2", retry: 3 })).toBe(
      "retry: 3\nid: 1-2\nevent: agent\ndata: {}\n\n",
    );
  });

  test.each<[EventStreamBlock, string]>([
    [{}, "\n"],
    [{ retry: 0 }, "retry: 0\n\n"],
    [{ data: "" }, "data: \n\n"],
    [{ data: " indented" }, "data:  indented\n\n"],
    [{ data: "a\nb\r\nc\rd" }, "data: a\ndata: b\ndata: c\ndata: d\n\n"],
    [{ data: "a\n" }, "data: a\ndata: \n\n"],
    [{ id: "" }, "id: \n\n"],
  ])("of %j is %j", (block, encoded) => {
    expect(encodeEvent(block)).toBe(encoded);
  });

  test.each(["\r", "\n", "\0", "a\nid: forged", "a\r\n\r\ndata: forged"])(
    "refuses %j in id and event",
    (value) => {
      for (const field of ["id", "event"]) {
        expect(() => encodeEvent({ [field]: value, data: "" })).toThrow(
          new TypeError(`Expected \`${field}\` to hold no CR, LF or NUL`),
        );
      }
    },
  );

  test.each([-1, 1.5, NaN, Infinity, 2 ** 53, untyped("5"), untyped(null)])(
    "refuses %j as retry",
    (retry) => {
      expect(() => encodeEvent({ retry })).toThrow(
        new TypeError(`Expected \`retry\` to be a whole number from 0 up, got ${retry}`),
      );
    },
  );
});

describe("encodeComment", () => {
  test("is ignored by every client, whatever it says", () => {
    fc.assert(
      fc.property(text, (comment) => {
        const { messages, comments } = parse([encodeComment(comment)]);
        expect(messages).toEqual([]);
        expect(comments.join("\n")).toBe(joined(comment));
      }),
    );
  });

  test("is one line and a blank one", () => {
    expect(encodeComment("keep-alive")).toBe(": keep-alive\n\n");
  });
});
