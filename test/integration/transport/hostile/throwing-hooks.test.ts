import { describe, expect, test } from "vitest";
import { cleanups } from "../../../support/cleanups.ts";
import { EventStreamClient, eventsIn } from "../../../support/event-stream-client.ts";
import { serveHostile } from "../../../support/hostile-server.ts";

const cleanUp = cleanups();

describe("code around it that throws", () => {
  test("neither hooks nor listeners nor filters keep followers from their events", async () => {
    const broken = (): never => {
      throw new Error("broken");
    };
    const { bus, errors, origin } = await serveHostile(
      cleanUp,
      { filter: (event) => (event.agent === "odd" ? broken() : true) },
      { history: { maxEvents: 4 } },
    );
    for (const hook of ["event", "gap", "end", "drop"] as const) bus.on(hook, broken);
    bus.subscribe("s", broken);
    bus.subscribe("s", () => Promise.reject(new Error("broken")));
    for (let n = 0; n < 10; n++) expect(bus.publish("s", { message: `m${n}` })).toBe(true);
    const client = await EventStreamClient.open(`${origin}/?session_id=s`);
    await client.until("ready");
    bus.publish("s", { agent: "odd", message: "withheld" });
    bus.publish("s", { message: "m10" });
    bus.end("s");
    bus.publish("s", { message: "too late" });
    const events = eventsIn(await client.rest());
    expect(events[0]).toMatchObject({ t: "gap", missed: 6 });
    expect(events.slice(1).map(({ msg }) => msg)).toEqual(["m6", "m7", "m8", "m9", "m10", undefined]);
    expect(new Set(errors)).toEqual(new Set(["broken"]));
  });
});
