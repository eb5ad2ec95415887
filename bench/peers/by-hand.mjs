import { AsyncLocalStorage } from "node:async_hooks";
import { EventEmitter } from "node:events";
import { createServer } from "node:http";
import express from "express";
import { EVENT_STREAM, listen } from "../lib/http.mjs";
import { getEvents, nextEvent } from "../lib/workload.mjs";

/** What people write today: Express, an EventEmitter, AsyncLocalStorage, JSON.stringify for each follower. */
export async function start() {
  const emitter = new EventEmitter().setMaxListeners(0);
  const context = new AsyncLocalStorage();
  const app = express();
  let followers = 0;
  app.get("/events", (req, res) => {
    res.set(EVENT_STREAM);
    res.flushHeaders();
    const listener = ({ id, data }) => {
      res.write(`id: ${id}\nevent: agent\ndata: ${JSON.stringify(data)}\n\n`);
    };
    const name = req.query.session_id;
    emitter.on(name, listener);
    followers++;
    res.once("close", () => {
      emitter.off(name, listener);
      followers--;
    });
  });
  const port = await listen(createServer(app));
  const report = (message) => emitter.emit(context.getStore().session, nextEvent(message));
  return {
    port,
    greeting: getEvents,
    followers: () => followers,
    turn(sessions, events, message) {
      for (const session of sessions) {
        context.run({ session }, () => {
          for (let n = 0; n < events; n++) report(message);
        });
      }
    },
    problems: () => [],
  };
}
