// Next.js loads modules anew in development; what has to survive that hangs off globalThis.
import { createEventBus, type SessionEventBus } from "session-progress";

const kept = globalThis as { bus?: SessionEventBus };

export const bus = (kept.bus ??= createEventBus());
