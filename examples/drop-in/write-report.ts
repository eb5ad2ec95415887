import { setTimeout as wait } from "node:timers/promises";
import { reportProgress } from "session-progress";

// Stands for the agents, somewhere deep in your app.
export async function writeReport(topic: string): Promise<void> {
  await wait(100);
  reportProgress({ message: `Reading about ${topic}`, progress: 1, total: 2 });
  await wait(100);
  reportProgress({ message: `Writing about ${topic}`, progress: 2, total: 2 });
  await wait(100);
}
