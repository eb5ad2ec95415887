// Clients that do not: so many connections at any time, each of which misbehaves in one way and is then replaced.
import { Buffer } from "node:buffer";
import { connect } from "node:net";
import { setTimeout } from "node:timers";

const [port, count] = process.argv.slice(2).map(Number);
const done = { pipelined: 0, stalled: 0, left: 0 };

const get = () => `GET /events?session_id=s${Math.floor(Math.random() * 10)} HTTP/1.1\r\nHost: x\r\n\r\n`;
const pipeline = Buffer.from(get().repeat(10_000));

/** Sends ten thousand requests at once, and reads what comes. */
function pipelines(socket) {
  done.pipelined++;
  socket.resume();
  socket.write(pipeline);
}

/** Follows, and reads nothing until it is cut off. */
function stalls(socket) {
  done.stalled++;
  socket.pause();
  socket.write(get());
}

/** Leaves after a random byte, of its request or of the answer, without a word or with half of one. */
function leaves(socket) {
  done.left++;
  const request = get();
  const leave = () => (Math.random() < 0.5 ? socket.destroy() : socket.resetAndDestroy());
  if (Math.random() < 0.5) {
    socket.write(request.slice(0, Math.floor(Math.random() * request.length)));
    setTimeout(leave, Math.random() * 100);
    return;
  }
  let left = Math.random() * 2_000;
  socket.on("data", (chunk) => {
    left -= chunk.length;
    if (left < 0) leave();
  });
  socket.write(request);
}

const ways = [pipelines, stalls, leaves, leaves];
let isOver = false;

function open(n) {
  if (isOver) return;
  const socket = connect({ port, host: "127.0.0.1" }, () => ways[n % ways.length](socket));
  socket.on("error", () => {});
  // A moment, so that this measures the server and not how fast this process opens sockets.
  socket.on("close", () => setTimeout(open, 200, n));
}
for (let n = 0; n < count; n++) setTimeout(open, n, n);

process.on("message", () => {
  isOver = true;
  process.send(done, () => process.exit());
});
