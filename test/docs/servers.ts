/** A program around README.md's block of servers: asks each for a session that has ended, and prints what came. */
export const SERVERS = `
import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { toNodeHandler } from "h3";
import { WebSocket } from "ws";

// the block

bus.publish("s1", { message: "one" });
bus.end("s1");
const path = "/events?session_id=s1";
const say = (name, stream) => console.log(name + ": " + (/^event: end$/m.test(stream) ? "end" : stream));

async function ask(name, server, get = async (host) => (await fetch("http://" + host + path)).text()) {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  say(name, await get("127.0.0.1:" + server.address().port));
  server.close();
  server.closeAllConnections?.();
}

await ask("node", node);
say("hono", await (await hono.request(path)).text());
say("fetch", await (await GET(new Request("http://x" + path))).text());
await fastify.listen({ port: 0, host: "127.0.0.1" });
say("fastify", await (await fetch("http://127.0.0.1:" + fastify.server.address().port + path)).text());
await fastify.close();
await ask("koa", createHttpServer(koa.callback()));
h3.use((event) => void event.res.headers.append("Set-Cookie", "seen=1"));
await ask("h3", createHttpServer(toNodeHandler(h3)), async (host) => {
  const response = await fetch("http://" + host + path);
  return response.headers.get("set-cookie") === "seen=1" ? response.text() : "no cookie";
});
const sockets = createHttpServer();
sockets.on("upgrade", (request, socket, head) =>
  wss.handleUpgrade(request, socket, head, (webSocket) => wss.emit("connection", webSocket, request)));
await ask("websocket", sockets, async (host) => {
  const socket = new WebSocket("ws://" + host + path);
  let received = "";
  socket.on("message", (message) => {
    const { id, event } = JSON.parse(String(message));
    if (id !== undefined && event.t === "session_end") received = "event: end";
  });
  const [code] = await once(socket, "close");
  return code === 1000 ? received : "closed with " + code;
});
`;
