// A process that freezes its globals before anybody has reported, for surroundings.test.ts.
import {
  bindReporter,
  createEventBus,
  createReporter,
  currentReporter,
  reportProgress,
  withAgent,
} from "session-progress";

Object.freeze(globalThis);
const bus = createEventBus();
const said: string[] = [];
bus.subscribe("s", ({ event }) => void said.push("msg" in event ? event.msg : event.t), {
  after: "start",
});
bus.reporter("s").run(() => reportProgress({ message: "reporter.run" }));
bus.reporter("s").run(() => withAgent("a", () => reportProgress({ message: "withAgent" })));
bus.reporter("s").run(() => bindReporter(() => reportProgress({ message: "bindReporter" }))());
bus.reporter("s").run(() => currentReporter()?.report({ message: "currentReporter" }));
createReporter(bus.sink("s")).run(() => reportProgress({ message: "createReporter" }));
await bus.start(
  async () => {
    await Promise.resolve();
    reportProgress({ message: "start" });
  },
  { sessionId: "s" },
).done;
console.log(said.join(" "));
