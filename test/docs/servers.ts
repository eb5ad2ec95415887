/** A program around README.md's block of servers: asks each for a session that has ended, and prints what came. */
export const SERVERS = `
import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { connect, createServer as createPlainHttp2Server } from "node:http2";
import { text } from "node:stream/consumers";
import Fastify from "fastify";
import { H3, toNodeHandler } from "h3";
import { Hono } from "hono";
import Koa from "koa";
import { WebSocket, WebSocketServer } from "ws";
import { createEventBus } from "session-progress";

const bus = createEventBus();
const hono = new Hono();
const fastify = Fastify();
const koa = new Koa();
const h3 = new H3();
const sockets = createHttpServer();
const wss = new WebSocketServer({ server: sockets });
const sessionIdOf = (req) => new URL(req.url, "http://x").searchParams.get("session_id");
let key, cert; // No TLS here: the listener is taken over by a plain server below.

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

await ask("node", http1);
await ask("http2", createPlainHttp2Server(http2.listeners("request")[0]), async (host) => {
  const session = connect("http://" + host);
  const answer = await text(session.request({ ":path": path }));
  session.close();
  return answer;
});
say("hono", await (await hono.request(path)).text());
say("fetch", await (await GET(new Request("http://x" + path))).text());
await fastify.listen({ port: 0, host: "127.0.0.1" });
say("fastify", await (await fetch("http://127.0.0.1:" + fastify.server.address().port + path)).text());
await fastify.close();
await ask("koa", createHttpServer(koa.callback()));
await ask("h3", createHttpServer(toNodeHandler(h3)));
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
