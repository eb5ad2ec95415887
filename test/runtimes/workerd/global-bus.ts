import { createEventBus } from "session-progress";
import { sseHandler } from "session-progress/fetch";

/** What looks right and is not: one bus for each isolate. */
const events = sseHandler(createEventBus());

// eslint-disable-next-line @typescript-eslint/no-extraneous-class -- the configuration names it
export class Sessions {}

export default { fetch: (request: Request): Promise<Response> => events(request) };
