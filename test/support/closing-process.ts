// A process that has nothing but a run and the grace it is given, for shutdown.test.ts.
import { createEventBus } from "session-progress";

const bus = createEventBus();
const { done } = bus.start(
  ({ signal }) =>
    new Promise<void>((resolve) => {
      signal.addEventListener("abort", () => resolve());
    }),
);
await bus.close({ graceMs: 200 });
const { status } = await done;
console.log(`closed: ${status}`);
