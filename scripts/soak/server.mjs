// The process under attack: plain Node, followers of ten sessions, twenty reports a second in each.
import { createServer } from "node:http";
import { clearInterval, setInterval } from "node:timers";
import { createEventBus } from "session-progress";
import { sseHandler } from "session-progress/node";

const SESSIONS = 10;
const bus = createEventBus();
const server = createServer(sseHandler(bus, { writeDeadlineMs: 5_000, keepAliveMs: 5_000 }));
server.listen(0, "127.0.0.1", () => process.send({ port: server.address().port }));

const peak = { rss: 0, heap: 0 };
const connections = new Set();
server.on("connection", (socket) => {
  connections.add(socket);
  socket.on("close", () => connections.delete(socket));
});

let reported = 0;
const reporting = setInterval(() => {
  reported++;
  for (let n = 0; n < SESSIONS; n++)
    bus.publish(`s${n}`, { message: `report ${reported}`, data: { at: Date.now() } });
  const { rss, heapUsed } = process.memoryUsage();
  peak.rss = Math.max(peak.rss, rss);
  peak.heap = Math.max(peak.heap, heapUsed);
}, 50);

process.on("message", async ({ ask }) => {
  if (ask === "end") {
    clearInterval(reporting);
    for (let n = 0; n < SESSIONS; n++) bus.end(`s${n}`);
  }
  if (ask === "close") {
    await bus.close();
    server.close();
  }
  globalThis.gc();
  process.send({
    reported,
    peak,
    heap: process.memoryUsage().heapUsed,
    stats: bus.stats(),
    connections: connections.size,
  });
  if (ask === "close") process.disconnect();
});
