import express, { type Express } from "express";
import { createEventBus } from "session-progress";
import { sseHandler } from "session-progress/express";
import { graph } from "./graph.ts";

export const bus = createEventBus();

export const app: Express = express();
app.use(express.json());

app.post("/runs", (req, res) => {
  const { topic } = req.body as { topic: string };
  const { sessionId } = bus.start(() => graph.invoke({ topic }), { result: ({ text }) => text });
  res.status(202).json({ sessionId });
});

app.get("/events", sseHandler(bus, { mustExist: true }));
