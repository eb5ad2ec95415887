// A process that calls the library at the stack's end, for surroundings.test.ts. V8 compiles a regular expression
// when it is used for the second time, and where there is no stack for that it ends the process.
import { createEventBus, createReporter, type SessionEventBus } from "session-progress";
import { nearStackEnd } from "./stack-end.ts";

const CALLS: Record<string, (bus: SessionEventBus, id: string) => unknown> = {
  publish: (bus, id) => bus.publish(id, { message: "m", data: [1] }),
  report: (bus, id) => bus.reporter(id).report({ message: "m" }),
  sink: (bus, id) => createReporter(bus.sink(id)).report({ message: "\ud800\udc00".repeat(9_000) }),
  end: (bus, id) => bus.end(id, { message: "why" }),
  subscribe: (bus, id) => bus.subscribe(id, () => undefined, { after: "1-99" }),
  follow: (bus, id) => bus.follow(id, { after: "99-1" })[Symbol.asyncIterator](),
  start: (bus, id) => bus.start(() => 1, { sessionId: id }),
};
const call = CALLS[process.argv[2] ?? ""]!;
const bus = createEventBus({ maxEventBytes: 1_024 });
bus.on("error", () => undefined);
const action = (): unknown => call(bus, "s");
// Once at the top, so that functions are compiled; expressions are when they are used again.
action();
for (let round = 0; round < 4; round++) {
  for (let frames = 1; frames < 300; frames++) nearStackEnd(frames, action);
}
console.log(typeof call(bus, "t"));
process.exit(0);
