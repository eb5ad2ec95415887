// An ES module app on Express 5. What session-progress adds to it is marked with (+).
import compression from "compression";
import cors from "cors";
import express, { type ErrorRequestHandler, type Express } from "express";
import session from "express-session";
import helmet from "helmet";
import { createEventBus } from "session-progress"; // (+)
import { sseHandler } from "session-progress/express"; // (+)
import { writeReport } from "../write-report.ts";

declare module "express-session" {
  interface SessionData {
    user: string;
  }
}

export const bus = createEventBus(); // (+)

const router = express.Router();

router.post("/login", (req, res) => {
  req.session.user = (req.body as { user: string }).user;
  res.sendStatus(204);
});

router.post("/reports", (req, res) => {
  const { user } = req.session;
  const { topic } = req.body as { topic: string };
  if (user === undefined) return void res.sendStatus(401);
  const { sessionId } = bus.start(() => writeReport(topic), { owner: user }); // (+)
  res.status(202).json({ sessionId });
});

router.get("/events", sseHandler(bus, { authorize: (req, _, owner) => req.session.user === owner })); // (+)

const answerErrors: ErrorRequestHandler = (error, _req, res, _next) => {
  console.error(error);
  res.status(500).json({ error: "Something broke" });
};

export const app: Express = express();
app.use(helmet());
app.use(cors());
app.use(compression());
app.use(express.json());
app.use(session({ secret: "a secret", resave: false, saveUninitialized: false }));
app.use("/api", router);
app.use(answerErrors);
