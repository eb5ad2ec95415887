// Approach 3, event bus: publish and subscribe with an explicit session id.
// Choose it when reports come from outside of any run: a webhook, a message from a queue, another system that
// knows the id. The price: the id goes through every signature, and a wrong one reports to somebody else.
import { createEventBus, createSessionId } from "session-progress";
import { createTranscript } from "./transcript.ts";
import { read, split, summarize } from "./workflow.ts";

const bus = createEventBus();

async function writeReport(topic: string, sessionId: string): Promise<string[]> {
  const parts = await plan(topic, sessionId);
  return Promise.all(parts.map((part, i) => work(part, `worker-${i + 1}`, sessionId)));
}

async function plan(topic: string, sessionId: string): Promise<string[]> {
  const agent = "planner";
  bus.publish(sessionId, { agent, message: `Splitting ${topic}`, phase: "think" });
  const parts = await split(topic);
  bus.publish(sessionId, { agent, message: `${parts.length} parts`, phase: "decision" });
  return parts;
}

async function work(part: string, agent: string, sessionId: string): Promise<string> {
  bus.publish(sessionId, { agent, message: `Reading about ${part}`, progress: 0, total: 2 });
  const notes = await read(part);
  bus.publish(sessionId, { agent, message: `Writing about ${part}`, progress: 1, total: 2 });
  const page = await summarize(notes);
  bus.publish(sessionId, { agent, message: `Wrote ${page}`, progress: 2, total: 2, phase: "result" });
  return page;
}

const transcript = createTranscript();
const sessionId = createSessionId();
bus.subscribe(sessionId, ({ event }) => {
  transcript.add(event);
});
await writeReport("tea", sessionId);
bus.end(sessionId);
await bus.close();
transcript.check();
