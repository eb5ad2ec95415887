import { setImmediate } from "node:timers/promises";
import { createEventBus, createReporter, reportProgress } from "session-progress";
import { sseHandler } from "session-progress/fetch";
import { followOverWebSocket } from "session-progress/websocket";
import { withSession } from "../lib/builds.mjs";
import { MARKER, REPORT } from "../lib/workload.mjs";

const REPORTS_PER_TURN = 100;
const REPORTS_PER_SESSION = 10;

/**
 * One approach: `work(report, receive)` is a session that calls `report` in every turn and has `receive` called
 * for each event.
 */
function approach(session, { close = () => {}, listeners = () => 0 } = {}) {
  let received = 0;
  const receive = (events = 1) => (received += events);
  const check = async (count) => {
    for (let waits = 0; received < count && waits < 1_000; waits++) await setImmediate();
    if (received !== count) throw new Error(`expected ${count} events, got ${received}`);
  };
  const reports = (count) => async (one) => {
    for (let n = 1; n <= count; n++) {
      one(REPORT);
      if (n % REPORTS_PER_TURN === 0) await setImmediate();
    }
    await check(count);
  };
  const whole = async (count) => {
    received = 0;
    await session(reports(count), receive);
  };
  return { run: whole, session: () => whole(REPORTS_PER_SESSION), close, listeners };
}

function withBus(session) {
  const bus = createEventBus();
  let count = 0;
  return approach((work, receive) => session(bus, `s${++count}`, work, receive), {
    close: () => bus.close(),
    listeners: () => bus.stats().followers,
  });
}

export const cases = {
  "1 pure context": () =>
    approach((work, receive) => createReporter(() => receive()).run(() => work(reportProgress))),
  "2 pure callbacks": () => approach((work, receive) => work(createReporter(() => receive()).report)),
  "3 pure event bus": () =>
    withBus(async (bus, id, work, receive) => {
      bus.subscribe(id, ({ event }) => event.t === "agent_event" && receive());
      await work((one) => bus.publish(id, one));
      bus.end(id);
    }),
  "4 context + bus, WebSocket": () =>
    withBus(async (bus, id, work, receive) => {
      const socket = {
        readyState: 1,
        bufferedAmount: 0,
        send: (message) => void (message.includes(MARKER) && receive()),
        close() {},
        addEventListener() {},
      };
      const stop = followOverWebSocket(bus, id, socket);
      await withSession(bus, id, () => work(reportProgress));
      bus.end(id);
      await setImmediate();
      stop();
    }),
  "5 context + bus, SSE": () => {
    const handlers = new WeakMap();
    return withBus(async (bus, id, work, receive) => {
      if (!handlers.has(bus)) handlers.set(bus, sseHandler(bus));
      const response = await handlers.get(bus)(
        new globalThis.Request(`http://bench/events?session_id=${id}`),
      );
      const reading = read(response.body, receive);
      await bus.start(() => work(reportProgress), { sessionId: id }).done;
      await reading;
    });
  },
};

async function read(body, receive) {
  const marker = MARKER.charCodeAt(0);
  for await (const bytes of body) {
    let found = 0;
    for (let at = bytes.indexOf(marker); at !== -1; at = bytes.indexOf(marker, at + 1)) found++;
    receive(found);
  }
}
