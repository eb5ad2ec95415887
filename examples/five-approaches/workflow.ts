import { setImmediate as step } from "node:timers/promises";
import { reportProgress, withAgent } from "session-progress";

// The work itself, which knows nothing of progress.

export async function split(topic: string): Promise<string[]> {
  await step();
  return [`the past of ${topic}`, `the future of ${topic}`];
}

export async function read(part: string): Promise<string> {
  await step();
  return `notes on ${part}`;
}

export async function summarize(notes: string): Promise<string> {
  await step();
  return `a page from ${notes}`;
}

// The workflow with ambient progress: a planner, then two workers at once. Nothing about sessions is passed
// along, so approaches 1, 4 and 5 share it as it is. Approaches 2 and 3 have to write their own.

export async function writeReport(topic: string): Promise<string[]> {
  const parts = await withAgent("planner", () => plan(topic));
  return Promise.all(parts.map((part, i) => withAgent(`worker-${i + 1}`, () => work(part))));
}

async function plan(topic: string): Promise<string[]> {
  reportProgress({ message: `Splitting ${topic}`, phase: "think" });
  const parts = await split(topic);
  reportProgress({ message: `${parts.length} parts`, phase: "decision" });
  return parts;
}

async function work(part: string): Promise<string> {
  reportProgress({ message: `Reading about ${part}`, progress: 0, total: 2 });
  const notes = await read(part);
  reportProgress({ message: `Writing about ${part}`, progress: 1, total: 2 });
  const page = await summarize(notes);
  reportProgress({ message: `Wrote ${page}`, progress: 2, total: 2, phase: "result" });
  return page;
}
