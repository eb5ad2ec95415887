// Approach 2, callbacks: a reporter is passed to everything that reports.
// Choose it where the context does not reach (a browser, a queue, a worker thread) or where a signature should
// say that a function reports. The price: every function on the way takes one more parameter.
import { createReporter, type Reporter } from "session-progress";
import { createTranscript } from "./transcript.ts";
import { read, split, summarize } from "./workflow.ts";

async function writeReport(topic: string, reporter: Reporter): Promise<string[]> {
  const parts = await plan(topic, reporter);
  return Promise.all(parts.map((part, i) => work(part, `worker-${i + 1}`, reporter)));
}

async function plan(topic: string, { report }: Reporter): Promise<string[]> {
  const agent = "planner";
  report({ agent, message: `Splitting ${topic}`, phase: "think" });
  const parts = await split(topic);
  report({ agent, message: `${parts.length} parts`, phase: "decision" });
  return parts;
}

async function work(part: string, agent: string, { report }: Reporter): Promise<string> {
  report({ agent, message: `Reading about ${part}`, progress: 0, total: 2 });
  const notes = await read(part);
  report({ agent, message: `Writing about ${part}`, progress: 1, total: 2 });
  const page = await summarize(notes);
  report({ agent, message: `Wrote ${page}`, progress: 2, total: 2, phase: "result" });
  return page;
}

const transcript = createTranscript();
await writeReport("tea", createReporter(transcript.add));
transcript.check();
