import express, { type Express } from "express";
import type { SessionEventBus } from "session-progress";
import { sseHandler } from "session-progress/express";
import { supervisor } from "./agents/supervisor.ts";

/** Starts runs, and lets anyone who knows a run's session id follow it. */
export function createApp(bus: SessionEventBus, root: string): Express {
  const app = express();

  app.get("/", (_req, res) => {
    res.sendFile("page.html", { root: import.meta.dirname });
  });

  app.post("/runs", (_req, res) => {
    const { sessionId } = bus.start(() => supervisor(root), { result: (review) => review });
    res.status(202).json({ sessionId });
  });

  app.get("/events", sseHandler(bus, { mustExist: true }));

  return app;
}
