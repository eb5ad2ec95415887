import { EventSource as NpmEventSource } from "eventsource";
import { EventSourcePlus } from "event-source-plus";
import { EventSource as UndiciEventSource } from "undici";
import { type Follow, type Message, testClient } from "../../contracts/client.ts";

const NAMES = ["ready", "agent", "run", "gap", "end"];

/** Follows with whatever has the interface of browsers' `EventSource`, left alone after the end. */
function followWith(EventSource: typeof NpmEventSource | typeof UndiciEventSource): Follow {
  return (url, onMessage) => {
    const source = new EventSource(url) as NpmEventSource;
    for (const event of NAMES) {
      source.addEventListener(event, ({ data }) => {
        onMessage({ event, data: JSON.parse(data as string) as Message["data"] });
      });
    }
    return () => source.close();
  };
}

const standard = { lastEventId: "header", stopsAt204: true, stopsAt403: true } as const;

testClient("eventsource", followWith(NpmEventSource), standard);

testClient("undici", followWith(UndiciEventSource), standard);

testClient(
  "event-source-plus as it comes",
  (url, onMessage) => {
    const controller = new EventSourcePlus(url).listen({
      onMessage: ({ event, data }) => onMessage({ event, data: JSON.parse(data) as Message["data"] }),
    });
    return () => controller.abort();
  },
  { lastEventId: "header", stopsAt204: false, stopsAt403: false },
);
