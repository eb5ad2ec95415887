// Next.js bundles routes, actions and instrumentation apart, and loads them anew in development: all get this one.
import { createEventBus } from "session-progress";

export const bus = createEventBus({ singleton: "next-route-handler" });
