import { Buffer } from "node:buffer";
import { once } from "node:events";
import { connect } from "node:net";
import { serve } from "./rpc.mjs";
import { nowUs, STAMP_DIGITS } from "./workload.mjs";

// Followers are bare sockets that count one byte and parse nothing: they must not be what is measured.
const shared = Buffer.alloc(65_536);
let followers = [];
let marker = 0;
let received = 0;
let awaited = Infinity;
let reached = () => {};
let control;
/** From the report to here in µs, when that is asked for. */
let latencies;

function count(length) {
  let found = 0;
  for (let at = shared.indexOf(marker); at !== -1 && at < length; at = shared.indexOf(marker, at + 1)) {
    found++;
    // One that a read cuts off counts, its time is left out.
    if (latencies !== undefined && at + STAMP_DIGITS < length) latencies.push(nowUs() - stampAfter(at));
  }
  return found;
}

function stampAfter(at) {
  let us = 0;
  for (let n = at + 1; n <= at + STAMP_DIGITS; n++) us = us * 10 + shared[n] - ZERO;
  return us;
}

const ZERO = 0x30;

function follow({ port, greeting }) {
  const follower = { received: 0, socket: undefined };
  follower.socket = connect({
    port,
    host: "127.0.0.1",
    onread: {
      buffer: shared,
      callback(length) {
        const found = count(length);
        follower.received += found;
        received += found;
        if (received >= awaited) reached();
        return true;
      },
    },
  });
  follower.socket.on("error", () => {});
  follower.socket.write(greeting, "latin1");
  followers.push(follower);
  return once(follower.socket, "connect");
}

const actions = {
  /** Connects a follower for each greeting, `atOnce` at a time. */
  async follow({ port, greetings, markerByte, atOnce = 200 }) {
    marker = markerByte.charCodeAt(0);
    for (let at = 0; at < greetings.length; at += atOnce) {
      await Promise.all(greetings.slice(at, at + atOnce).map((greeting) => follow({ port, greeting })));
    }
  },
  async control({ port }) {
    control = connect({ port, host: "127.0.0.1", noDelay: true });
    await once(control, "connect");
  },
  /** From now on tells the server whenever `perTurn` more have arrived. */
  confirmEach({ perTurn }) {
    awaited = received + perTurn;
    reached = () => {
      awaited += perTurn;
      control.write("!");
    };
  },
  /** Resolves when `total` have arrived since `reset`. */
  until: ({ total }) =>
    new Promise((resolve) => {
      awaited = total;
      reached = () => {
        awaited = Infinity;
        resolve();
      };
      if (received >= awaited) reached();
    }),
  reset() {
    awaited = Infinity;
    received = 0;
    for (const follower of followers) follower.received = 0;
  },
  /** The least and the most that any follower has. */
  counts() {
    let least = Infinity;
    let most = 0;
    for (const follower of followers) {
      least = Math.min(least, follower.received);
      most = Math.max(most, follower.received);
    }
    return { least, most, received };
  },
  resetLatencies() {
    latencies = [];
  },
  /** Of all deliveries since `resetLatencies`. */
  latencies() {
    const sorted = Float64Array.from(latencies).sort();
    latencies = undefined;
    const quantile = (share) => sorted[Math.ceil(sorted.length * share) - 1];
    return { p50Us: quantile(0.5), p99Us: quantile(0.99), timed: sorted.length };
  },
  leave() {
    for (const { socket } of followers) socket.resetAndDestroy();
    followers = [];
  },
};

serve(actions);
