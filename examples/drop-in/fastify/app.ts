// A Fastify app. What session-progress adds to it is marked with (+).
import { fastify } from "fastify";
import { createEventBus } from "session-progress"; // (+)
import { sseHandler } from "session-progress/fastify"; // (+)
import { logIn, userOf } from "../users.ts";
import { writeReport } from "../write-report.ts";

const bus = createEventBus(); // (+)

export const app = fastify({ forceCloseConnections: true });

app.post<{ Body: { user: string } }>("/api/login", (request, reply) =>
  reply.header("Set-Cookie", logIn(request.body.user)).code(204).send(),
);

app.post<{ Body: { topic: string } }>("/api/reports", (request, reply) => {
  const user = userOf(request.headers.cookie);
  if (user === undefined) return reply.code(401).send();
  const { sessionId } = bus.start(() => writeReport(request.body.topic), { owner: user }); // (+)
  return reply.code(202).send({ sessionId });
});

const events = sseHandler(bus, { authorize: (req, _, owner) => userOf(req.headers.cookie) === owner }); // (+)
app.get("/api/events", events); // (+)

app.addHook("preClose", () => bus.close()); // (+)
