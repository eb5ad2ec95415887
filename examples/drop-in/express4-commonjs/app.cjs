// A CommonJS app on Express 4. What session-progress adds to it is marked with (+).
const compression = require("compression");
const cors = require("cors");
const express = require("express4"); // `express`, in your app
const session = require("express-session");
const helmet = require("helmet");
const { createEventBus, reportProgress } = require("session-progress"); // (+)
const { sseHandler } = require("session-progress/express"); // (+)

const bus = createEventBus(); // (+)

const router = express.Router();

router.post("/login", (req, res) => {
  req.session.user = req.body.user;
  res.sendStatus(204);
});

router.post("/reports", (req, res) => {
  if (req.session.user === undefined) return res.sendStatus(401);
  const work = () => writeReport(req.body.topic);
  const { sessionId } = bus.start(work, { owner: req.session.user }); // (+)
  return res.status(202).json({ sessionId });
});

const authorize = (req, _sessionId, owner) => req.session.user === owner; // (+)
router.get("/events", sseHandler(bus, { authorize })); // (+)

async function writeReport(topic) {
  await wait(100);
  reportProgress({ message: `Reading about ${topic}`, progress: 1, total: 2 }); // (+)
  await wait(100);
  reportProgress({ message: `Writing about ${topic}`, progress: 2, total: 2 }); // (+)
  await wait(100);
}

const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const app = express();
app.use(helmet());
app.use(cors());
app.use(compression());
app.use(express.json());
app.use(session({ secret: "a secret", resave: false, saveUninitialized: false }));
app.use("/api", router);
app.use((error, _req, res, _next) => {
  console.error(error);
  res.status(500).json({ error: "Something broke" });
});

const server = app.listen(Number(process.env.PORT ?? 3000), "127.0.0.1", () => {
  console.log(`http://127.0.0.1:${server.address().port}`);
});
process.once("SIGTERM", () => {
  server.close();
  void bus.close(); // (+)
});
