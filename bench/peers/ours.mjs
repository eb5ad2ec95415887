import { createServer } from "node:http";
import { importFrom } from "../lib/builds.mjs";
import { listen } from "../lib/http.mjs";
import { getEvents, REPORT } from "../lib/workload.mjs";

// Only what is measured is loaded.
const SERVERS = {
  async node(bus, options, load) {
    const { sseHandler } = await load("session-progress/node");
    return createServer(sseHandler(bus, options));
  },
  async express(bus, options, load) {
    const { default: express } = await import("express");
    const { sseHandler } = await load("session-progress/express");
    return createServer(express().get("/events", sseHandler(bus, options)));
  },
  async hono(bus, options, load) {
    const { createAdaptorServer } = await import("@hono/node-server");
    const { Hono } = await import("hono");
    const { sseHandler } = await load("session-progress/hono");
    return createAdaptorServer({ fetch: new Hono().get("/events", sseHandler(bus, options)).fetch });
  },
};

/**
 * session-progress, reported to from inside the context, over Node http, Express or Hono; with `dist`, another
 * build of it.
 */
export async function start({ over, dist, keepAliveMs, bus: busOptions }) {
  const load = (name) => importFrom(dist, name);
  const { createEventBus, reportProgress } = await load("session-progress");
  const bus = createEventBus({ maxFollowers: 20_000, maxFollowersPerSession: 20_000, ...busOptions });
  const server = await SERVERS[over](bus, { keepAliveMs }, load);
  const port = await listen(server);
  const reporters = new Map();
  return {
    port,
    bus,
    greeting: getEvents,
    followers: () => bus.stats().followers,
    turn(sessions, events, message) {
      const report = message === undefined ? REPORT : { ...REPORT, message };
      for (const session of sessions) {
        let reporter = reporters.get(session);
        if (reporter === undefined) reporters.set(session, (reporter = bus.reporter(session)));
        reporter.run(() => {
          for (let n = 0; n < events; n++) reportProgress(report);
        });
      }
    },
    /** The id of an entry, for a client that comes back: `position` entries were seen. */
    idAt: (session, position) => `${bus.reporter(session).epoch}-${position}`,
    problems() {
      const { gaps, drops } = bus.stats();
      return [gaps > 0 && `${gaps} gaps`, drops > 0 && `${drops} reports not taken`].filter(Boolean);
    },
  };
}
