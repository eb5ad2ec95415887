// Approach 5, MCP-style: context, bus, typed progress (progress, total, message) and server-sent events.
// Choose it by default, for a service with browsers: `EventSource` reconnects and resumes by itself, the
// session ends with its run, and any number of clients follow, early or late.
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { EventSource } from "eventsource";
import { createEventBus, type SessionEvent } from "session-progress";
import { sseHandler } from "session-progress/node";
import { createTranscript } from "./transcript.ts";
import { writeReport } from "./workflow.ts";

const bus = createEventBus();
const handle = sseHandler(bus, { mustExist: true });
const server = createServer((req, res) => void handle(req, res)).listen(0, "127.0.0.1");
await once(server, "listening");

const { sessionId, done } = bus.start(() => writeReport("tea"));

const transcript = createTranscript();
const { port } = server.address() as AddressInfo;
const events = new EventSource(`http://127.0.0.1:${port}/events?session_id=${sessionId}`);
events.addEventListener("agent", ({ data }) => {
  transcript.add(JSON.parse(data as string) as SessionEvent);
});
await once(events, "end");
events.close();

await done;
await bus.close();
server.close();
transcript.check();
