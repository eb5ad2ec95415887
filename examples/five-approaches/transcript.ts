import assert from "node:assert/strict";
import type { SessionEvent } from "session-progress";

/** What a person watching sees, whichever way the events travelled. */
const EXPECTED = `
planner (think): Splitting tea
planner (decision): 2 parts
worker-1 0 %: Reading about the past of tea
worker-2 0 %: Reading about the future of tea
worker-1 50 %: Writing about the past of tea
worker-2 50 %: Writing about the future of tea
worker-1 100 % (result): Wrote a page from notes on the past of tea
worker-2 100 % (result): Wrote a page from notes on the future of tea
`;

/** Collects events as lines; `check` fails unless they are the expected ones. */
export function createTranscript(): { add: (event: SessionEvent) => void; check: () => void } {
  const lines: string[] = [];
  return {
    add: (event) => {
      if (event.t !== "agent_event") return;
      const percent = event.pct === undefined ? "" : ` ${event.pct * 100} %`;
      const phase = event.phase === "progress" ? "" : ` (${event.phase})`;
      lines.push(`${event.agent}${percent}${phase}: ${event.msg}`);
    },
    check: () => {
      console.log(lines.join("\n"));
      assert.equal(lines.join("\n"), EXPECTED.trim());
    },
  };
}
