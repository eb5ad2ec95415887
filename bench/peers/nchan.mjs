import { Buffer } from "node:buffer";
import { connect } from "node:net";
import { setTimeout } from "node:timers/promises";
import { findNchan, startNginx, usageOf } from "../lib/nginx.mjs";
import { getEvents, nextEvent } from "../lib/workload.mjs";

const LOCATIONS = `
  location = /events { nchan_subscriber eventsource; nchan_channel_id $arg_session_id; }
  location = /publish { nchan_publisher http; nchan_channel_id $arg_session_id; }
  location = /status { nchan_stub_status; }`;
const ANSWER = Buffer.from("HTTP/1.1 20");

/**
 * nginx with nchan, a channel for each session, as it comes: it keeps ten messages a channel.
 *
 * nginx serves; this process publishes, as cheaply as HTTP can be spoken: requests written by hand, one after
 * the other on one connection, answers counted and not parsed.
 */
export async function start() {
  const { port, worker } = await startNginx(findNchan(), LOCATIONS);
  const publisher = connect({ port, host: "127.0.0.1", noDelay: true });
  let sent = 0;
  let answered = 0;
  let unread = Buffer.alloc(0);
  publisher.on("data", (bytes) => {
    const read = Buffer.concat([unread, bytes]);
    for (let at = read.indexOf(ANSWER); at !== -1; at = read.indexOf(ANSWER, at + 1)) answered++;
    // An answer may be cut anywhere; what is kept is too short to be counted twice.
    unread = read.subarray(-ANSWER.length + 1);
  });
  return {
    port,
    greeting: getEvents,
    followers: () => subscribers(port),
    /** Another process than this one serves. */
    serverUsage: () => usageOf(worker),
    turn(sessions, events, message) {
      let requests = "";
      for (const session of sessions) {
        for (let n = 0; n < events; n++) {
          const body = JSON.stringify(nextEvent(message).data);
          requests += `POST /publish?session_id=${session} HTTP/1.1\r\nHost: bench\r\nX-EventSource-Event: agent\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
          sent++;
        }
      }
      publisher.write(requests);
    },
    async problems() {
      for (let waits = 0; answered < sent && waits < 100; waits++) await setTimeout(5);
      return answered === sent ? [] : [`${sent - answered} messages not accepted`];
    },
  };
}

async function subscribers(port) {
  const response = await globalThis.fetch(`http://127.0.0.1:${port}/status`);
  return Number(/^subscribers: (\d+)/m.exec(await response.text())[1]);
}
