/** The byte that occurs once in each event and nowhere else: what clients count. */
export const MARKER = "~";

/** What every peer sends, as `session-progress` takes it: about 200 bytes on the wire. */
export const REPORT = {
  message: `Reading the architecture of the billing module${MARKER}`,
  progress: 0.35,
  agent: "codesmith",
  phase: "think",
};

/** How many digits follow the marker in a message that says when it was reported. */
export const STAMP_DIGITS = 15;

/** The report's message with the time of now. */
export function stampedMessage() {
  return REPORT.message + String(nowUs()).padStart(STAMP_DIGITS, "0");
}

/** Microseconds of the clock that all processes of a machine share. */
export function nowUs() {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e6 + Math.floor(nanoseconds / 1000);
}

const startedAt = Date.now();
let count = 0;

/** The event that peers without reports send: the same fields, a number as its id. */
export function nextEvent(message = REPORT.message) {
  return {
    id: `${startedAt}000000-${++count}`,
    data: {
      t: "agent_event",
      agent: REPORT.agent,
      phase: REPORT.phase,
      msg: message,
      pct: REPORT.progress,
      ts: new Date().toISOString(),
    },
  };
}

/** One event in the text/event-stream format. */
export function frameOf({ id, data }) {
  return `id: ${id}\nevent: agent\ndata: ${JSON.stringify(data)}\n\n`;
}

/** How an HTTP client asks for a session. */
export function getEvents(session) {
  return `GET /events?session_id=${session} HTTP/1.1\r\nHost: bench\r\nAccept: text/event-stream\r\n\r\n`;
}

/** Followers by session, for peers that have no such thing of their own. */
export class Followers {
  count = 0;
  #bySession = new Map();

  of(session) {
    return this.#bySession.get(session) ?? NOBODY;
  }

  all() {
    return [...this.#bySession.values()].flatMap((followers) => [...followers]);
  }

  add(session, follower) {
    let followers = this.#bySession.get(session);
    if (followers === undefined) this.#bySession.set(session, (followers = new Set()));
    followers.add(follower);
    this.count++;
    return () => {
      if (followers.delete(follower)) this.count--;
      if (followers.size === 0) this.#bySession.delete(session);
    };
  }
}

const NOBODY = new Set();
