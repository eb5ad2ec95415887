import { importFrom } from "../lib/builds.mjs";
import { REPORT } from "../lib/workload.mjs";

/** So many sessions are touched, whatever the size: what may grow is the work, not the memory it walks through. */
const TOUCHED = 250;
const ONE_EACH = { sessions: (n) => n, listeners: () => 1 };

/** What there is when an operation is measured: sessions, listeners of each, and the limits that are reached. */
const STATES = {
  "n sessions": ONE_EACH,
  "n sessions, at `maxSessions`": { ...ONE_EACH, limits: (n) => ({ maxSessions: n }) },
  "n sessions, at `maxTotalBytes`": {
    ...ONE_EACH,
    limits: (n, bytes) => ({ history: { maxTotalBytes: n * bytes } }),
  },
  "n unfollowed, at `maxSessions`": { sessions: (n) => n, limits: (n) => ({ maxSessions: n }) },
  "n unfollowed, at `maxTotalBytes`": {
    sessions: (n) => n,
    limits: (n, bytes) => ({ history: { maxTotalBytes: n * bytes } }),
  },
  "n listeners of one session": { sessions: () => 1, listeners: (n) => n },
};

const FOLLOWED = ["report", "report to a new session", "subscribe", "unsubscribe", "open", "end"];

/** What is measured in which state. */
export const MEASURED = {
  "n sessions": FOLLOWED,
  "n sessions, at `maxSessions`": FOLLOWED,
  "n sessions, at `maxTotalBytes`": FOLLOWED,
  "n unfollowed, at `maxSessions`": ["evict"],
  "n unfollowed, at `maxTotalBytes`": ["evict"],
  "n listeners of one session": ["report", "subscribe", "unsubscribe"],
};

/** `run(count)` measures; `restore` undoes what it changed after every `batch`; `most` bounds what that costs. */
const OPERATIONS = {
  report: (filled) => ({
    run: (count) => repeat(count, (n) => filled.bus.publish(filled.touched(n), REPORT)),
    unit: filled.listeners,
  }),
  "report to a new session": (filled) => ({
    run: (count) => repeat(count, () => filled.bus.publish(filled.newName(), REPORT)),
    ...rebuilding(filled),
  }),
  subscribe: (filled) => ({
    run: (count) => repeat(count, (n) => filled.subscribe(n)),
    restore: () => filled.unsubscribe(),
    batch: TOUCHED,
  }),
  unsubscribe(filled) {
    const restore = () => repeat(TOUCHED, (n) => filled.subscribe(n));
    restore();
    return {
      run: (count) => filled.unsubscribe(count),
      restore() {
        filled.unsubscribe();
        restore();
      },
      batch: TOUCHED,
    };
  },
  open: (filled) => ({
    run: (count) => repeat(count, () => filled.open(filled.newName())),
    ...rebuilding(filled),
  }),
  end: (filled) => ({
    run: (count) => repeat(count, (n) => filled.bus.end(`s${n}`)),
    ...rebuilding(filled),
  }),
  // A new session takes the place of the oldest: there are as many as before.
  evict: (filled) => ({
    run: (count) => repeat(count, () => filled.bus.publish(filled.newName(), REPORT)),
    least: 2_000,
  }),
};

export const cases = Object.fromEntries(
  Object.entries(MEASURED).flatMap(([state, operations]) =>
    operations.map((operation) => [
      `${state}: ${operation}`,
      async ({ size, dist }) => {
        const filled = new Filled(STATES[state], size, await importFrom(dist, "session-progress"));
        await filled.rebuild();
        // What the case before has left behind must not be collected while this one is measured.
        globalThis.gc();
        return { ...OPERATIONS[operation](filled), close: () => filled.bus.close() };
      },
    ]),
  ),
);

function repeat(count, fn) {
  for (let n = 0; n < count; n++) fn(n);
}

/** As many at once as there are sessions: a Map that doubles within fewer would be most of what they cost. */
function rebuilding(filled) {
  return { restore: () => filled.rebuild(), batch: filled.size, most: 16_000 };
}

/** A bus in one of the states. */
class Filled {
  bus;
  size;
  listeners;
  #state;
  #createEventBus;
  #names;
  #fresh = 0;
  #stops = [];

  constructor(state, size, { createEventBus }) {
    this.#state = state;
    this.size = size;
    this.#createEventBus = createEventBus;
    this.#names = Array.from({ length: state.sessions(size) }, (_, n) => `s${n}`);
    this.listeners = state.listeners?.(size) ?? 0;
  }

  async rebuild() {
    await this.bus?.close();
    const { limits } = this.#state;
    const bytes = await this.#bytesOfOne();
    const own = limits?.(this.size, bytes);
    this.bus = this.#createEventBus({ ...own, history: { maxEvents: 10, ...own?.history } });
    for (const name of this.#names) {
      if (!this.bus.publish(name, REPORT)) throw new Error("a report was not taken");
      for (let n = 0; n < this.listeners; n++) this.bus.subscribe(name, ignore, { after: "now" });
    }
    const { sessions, bytes: all } = this.bus.stats();
    if (sessions !== this.#names.length || all !== sessions * bytes) throw new Error("the limit was not met");
  }

  /** One of the sessions that are touched, spread over all. */
  touched(n) {
    const step = Math.max(1, Math.floor(this.#names.length / TOUCHED));
    return this.#names[((n % TOUCHED) * step) % this.#names.length];
  }

  newName() {
    return `new${++this.#fresh}`;
  }

  subscribe(n) {
    this.#stops.push(this.bus.subscribe(this.touched(n), ignore, { after: "now" }));
  }

  unsubscribe(count = this.#stops.length) {
    for (const stop of this.#stops.splice(0, count)) stop();
  }

  open(name) {
    // Builds up to 0.1.0 open a session when somebody takes a reporter of it.
    if (this.bus.open === undefined) this.bus.reporter(name);
    else this.bus.open({ sessionId: name }).catch(ignore);
  }

  async #bytesOfOne() {
    const bus = this.#createEventBus();
    bus.publish("s", REPORT);
    const { bytes } = bus.stats();
    await bus.close();
    return bytes;
  }
}

function ignore() {}
