// Fifty runs at once over HTTP, each with a follower of its own: nobody sees anything of another run.
import assert from "node:assert/strict";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { EventSource } from "eventsource";
import type { AgentEvent, SessionEndEvent } from "session-progress";
import { checkProgress } from "session-progress/testing";
import { app, bus } from "./app.ts";

const RUNS = 50;

const server = app.listen(0, "127.0.0.1");
await once(server, "listening");
const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

async function runAndFollow(topic: string): Promise<{ events: AgentEvent[]; end: SessionEndEvent }> {
  const response = await fetch(`${origin}/runs`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ topic }),
  });
  const { sessionId } = (await response.json()) as { sessionId: string };
  const events: AgentEvent[] = [];
  const source = new EventSource(`${origin}/events?session_id=${sessionId}`);
  source.addEventListener("agent", ({ data }) => {
    events.push(JSON.parse(data as string) as AgentEvent);
  });
  const [{ data }] = (await once(source, "end")) as [MessageEvent<string>];
  source.close();
  return { events, end: JSON.parse(data) as SessionEndEvent };
}

const topics = Array.from({ length: RUNS }, (_, i) => `topic ${i}`);
const runs = await Promise.all(topics.map(runAndFollow));

for (const [i, { events, end }] of runs.entries()) {
  const topic = `topic ${i}`;
  // The two researchers work at once, so only the lines of each are in a certain order.
  const linesOf = (agent: string) => events.filter((event) => event.agent === agent).map(({ msg }) => msg);
  assert.deepEqual(linesOf("historian"), [
    `Looking into the past of ${topic}`,
    `Searching for the past of ${topic}`,
    `Found facts about the past of ${topic}`,
  ]);
  assert.deepEqual(linesOf("futurist"), [
    `Looking into the future of ${topic}`,
    `Searching for the future of ${topic}`,
    `Found facts about the future of ${topic}`,
  ]);
  assert.deepEqual(linesOf("writer"), [`Writing about ${topic}`]);
  assert.deepEqual(linesOf("reviewer"), [`Checking the text on ${topic}`, `Polished the text on ${topic}`]);
  assert.equal(events.length, 9);
  assert.deepEqual(checkProgress(events), []);
  assert.equal(end.status, "completed");
  assert.equal(end.data, `facts about the future of ${topic} and facts about the past of ${topic}.`);
}
console.log(`${RUNS} runs of a LangGraph graph at once, each follower saw its own 9 events and the end`);

await bus.close();
server.close();
