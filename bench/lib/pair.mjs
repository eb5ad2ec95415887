import { MARKER } from "./workload.mjs";
import { PEERS } from "./peers.mjs";
import { spawn } from "./rpc.mjs";

/** A server of one peer and its followers, each in a process of its own. */
export async function startPair(name, { options, execArgv, marker = MARKER } = {}) {
  const { module, options: own } = PEERS[name];
  const server = spawn("./server-process.mjs", { execArgv });
  const client = spawn("./client-process.mjs");
  const { port, confirmPort, greeting } = await server.call("start", {
    module,
    options: { ...own, ...options },
  });
  await client.call("control", { port: confirmPort });
  let connected = 0;

  return {
    server,
    client,
    /** Connects one follower for each of `sessions`; `lastEventIds[n]` is what follower n has seen. */
    async follow(sessions, { lastEventIds, atOnce } = {}) {
      const greetings = sessions.map((session, n) => {
        const text = greeting.replace("SESSION", session);
        const seen = lastEventIds?.[n];
        return seen === undefined ? text : text.replace("\r\n\r\n", `\r\nLast-Event-ID: ${seen}\r\n\r\n`);
      });
      connected += sessions.length;
      await client.call("follow", { port, greetings, markerByte: marker, atOnce });
    },
    /** Resolves when the server knows every follower. */
    attached: () => server.call("untilFollowers", { count: connected }),
    async leave() {
      connected = 0;
      await client.call("leave");
      await server.call("untilFollowers", { count: 0 });
      await client.call("reset");
    },
    /** Throws unless every follower has exactly `each` events and the server saw nothing wrong; `failure` is why. */
    async check(each, failure) {
      const { least, most } = await client.call("counts");
      if (least !== each || most !== each) {
        const got = `${name}: expected ${each} events at every follower, got ${least} to ${most}`;
        throw new Error(got, { cause: failure });
      }
      const problems = await server.call("problems");
      if (problems.length > 0) throw new Error(`${name}: ${problems.join(", ")}`, { cause: failure });
      if (failure !== undefined) throw failure;
    },
    async stop() {
      await Promise.all([client.stop(), server.stop()]);
    },
  };
}

/** Calls `fn` with a pair and stops it, whatever happens. */
export async function withPair(name, settings, fn) {
  const pair = await startPair(name, settings);
  try {
    return await fn(pair);
  } finally {
    await pair.stop();
  }
}

/** Calls `fn` for each of `names`: one after the other where figures count, else all at once. */
export async function forEachPeer(names, { atOnce }, fn) {
  if (atOnce) await Promise.all(names.map(fn));
  else for (const name of names) await fn(name);
}
