import { describe, expect, test } from "vitest";
import { createReporter, type ProgressReport } from "session-progress";
import { checkProgress, createRecorder } from "session-progress/testing";

// Progress falls when it is less than before in the same unit; another unit says nothing about it.

function complaints(reports: readonly ProgressReport[]): string[] {
  const recorder = createRecorder();
  const { report } = createReporter(recorder);
  for (const each of reports) report(each);
  return checkProgress(recorder.events);
}

describe("checkProgress compares like with like:", () => {
  test.each<[what: string, reports: ProgressReport[]]>([
    ["a count, then a fraction", [{ progress: 5, total: null }, { progress: 0.2 }]],
    ["a fraction, then a count", [{ progress: 0.9 }, { progress: 0.5, total: null }]],
    [
      "a count, then one of a known total",
      [
        { progress: 50, total: null },
        { progress: 60, total: 100 },
      ],
    ],
    [
      "one of a known total, then a count",
      [
        { progress: 60, total: 100 },
        { progress: 0, total: null },
      ],
    ],
    ["nothing yet, then a count", [{ message: "starting" }, { progress: 1, total: null }]],
    [
      "a count that grows",
      [
        { progress: 1, total: null },
        { progress: 2, total: null },
        { progress: 2, total: null },
      ],
    ],
    [
      "each unit growing for itself, in turns",
      [
        { progress: 10, total: null },
        { progress: 0.1 },
        { progress: 11, total: null },
        { progress: 0.2 },
        { progress: 12, total: null },
      ],
    ],
    ["an empty list, then a fraction", [{ progress: 0, total: 0 }, { progress: 0.5 }]],
    ["a fraction, then an empty list", [{ progress: 0.5 }, { progress: 0, total: 0 }]],
  ])("%s is no fall", (_what, reports) => {
    expect(complaints(reports)).toEqual([]);
  });

  test.each<[what: string, reports: ProgressReport[], sentences: string[]]>([
    ["a fraction", [{ progress: 0.6 }, { progress: 0.4 }], ["agent fell from 0.6 to 0.4 at event 2"]],
    [
      "a count",
      [
        { progress: 6, total: null },
        { progress: 4, total: null },
      ],
      ["agent fell from 6 to 4 at event 2"],
    ],
    [
      "a count, with a fraction between",
      [{ progress: 6, total: null }, { progress: 0.9 }, { progress: 4, total: null }],
      ["agent fell from 6 to 4 at event 3"],
    ],
    [
      "a fraction, with a count between",
      [{ progress: 0.9 }, { progress: 6, total: null }, { progress: 0.4 }],
      ["agent fell from 0.9 to 0.4 at event 3"],
    ],
    [
      "a fraction of another total",
      [
        { progress: 50, total: 100 },
        { progress: 1, total: 4 },
      ],
      ["agent fell from 0.5 to 0.25 at event 2"],
    ],
  ])("%s that falls is told", (_what, reports, sentences) => {
    expect(complaints(reports)).toEqual(sentences);
  });
});
