import express, { type Express } from "express";
import type { SessionEventBus } from "session-progress";
import { sseHandler } from "session-progress/express";
import { supervisor } from "./agents/supervisor.ts";

/** Starts runs, and lets anyone who knows a run's session id follow and stop it. A review takes `atLeastMs`. */
export function createApp(bus: SessionEventBus, root: string, atLeastMs = 0): Express {
  const app = express();
  const running = new Set<string>();

  app.get("/", (_req, res) => {
    res.sendFile("page.html", { root: import.meta.dirname });
  });

  app.post("/runs", (_req, res) => {
    const { sessionId, done } = bus.start(({ signal }) => supervisor(root, { signal, atLeastMs }), {
      result: (review) => review,
    });
    running.add(sessionId);
    void done.then(() => running.delete(sessionId));
    res.status(202).json({ sessionId });
  });

  app.delete("/runs/:sessionId", (req, res) => {
    const { sessionId } = req.params;
    const stopped = running.has(sessionId) && bus.end(sessionId, { status: "cancelled" });
    res.sendStatus(stopped ? 204 : 404);
  });

  // Nobody can know a run before it has started, so an unknown one is one that a restart has forgotten.
  app.get("/events", sseHandler(bus, { mustExist: true }));

  return app;
}
