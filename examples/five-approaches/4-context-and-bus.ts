// Approach 4, context and bus: the session is ambient, any transport follows it by its id. Here: WebSocket.
// Choose it when clients already hold a WebSocket, or a session outlives the function that works for it:
// `bus.run` only lends the context, so beginning and ending the session stay yours.
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createEventBus, createSessionId, type SessionEntry } from "session-progress";
import { followOverWebSocket } from "session-progress/websocket";
import { WebSocket, WebSocketServer } from "ws";
import { createTranscript } from "./transcript.ts";
import { writeReport } from "./workflow.ts";

const bus = createEventBus();
const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
server.on("connection", (socket, req) => {
  followOverWebSocket(bus, req.url?.slice(1) ?? "", socket);
});
await once(server, "listening");

const transcript = createTranscript();
const sessionId = createSessionId();
const { port } = server.address() as AddressInfo;
const client = new WebSocket(`ws://127.0.0.1:${port}/${sessionId}`);
client.on("message", (message: Buffer) => {
  transcript.add((JSON.parse(message.toString()) as SessionEntry).event);
});

await bus.withSession(sessionId, () => writeReport("tea"));
bus.end(sessionId);

await once(client, "close");
server.close();
await bus.close();
transcript.check();
