// Clients that behave: a hundred of them, each of which has to get every event, once and in order.
import { request } from "node:http";
import { createParser } from "eventsource-parser";

const [port, count] = process.argv.slice(2).map(Number);
const faults = [];
let latencies = [];
let ended = 0;

for (let n = 0; n < count; n++) {
  let next = 1;
  const parser = createParser({
    onEvent: ({ id, event, data }) => {
      if (event === "ready") return;
      if (event === "end") return void ended++;
      const position = Number(id?.split("-")[1]);
      if (event !== "agent" || position !== next) faults.push(`${n}: ${event} ${id} instead of ${next}`);
      next = position + 1;
      latencies.push(Date.now() - JSON.parse(data).data.at);
    },
  });
  const headers = { accept: "text/event-stream" };
  request(
    { host: "127.0.0.1", port, path: `/events?session_id=s${n % 10}`, headers, agent: false },
    (res) => {
      res.setEncoding("utf8").on("data", (text) => parser.feed(text));
      res.on("error", (error) => faults.push(`${n}: ${error.message}`));
    },
  )
    .on("error", (error) => faults.push(`${n}: ${error.message}`))
    .end();
}

process.on("message", () => {
  latencies.sort((a, b) => a - b);
  const at = (share) => latencies[Math.floor(share * (latencies.length - 1))];
  process.send({ faults, ended, received: latencies.length, p50: at(0.5), p99: at(0.99), max: at(1) });
  latencies = [];
});
