import { describe, expect, test } from "vitest";
import { cleanups } from "../../../support/cleanups.ts";
import { deferred } from "../../../support/deferred.ts";
import { nextTurn } from "../../../support/event-loop.ts";
import { eventually } from "../../../support/eventually.ts";
import { serveHostile } from "../../../support/hostile-server.ts";
import { heldBytes } from "../../../support/memory.ts";
import { RawClient } from "../../../support/raw-client.ts";

const cleanUp = cleanups();

describe("clients that leave", () => {
  test.each(["close", "reset", "halfClose"] as const)("before there is an answer: %s", async (leave) => {
    const asked = deferred();
    const answer = deferred<boolean>();
    const { bus, errors, responses, connect } = await serveHostile(cleanUp, {
      authorize: () => {
        asked.resolve();
        return answer.promise;
      },
    });
    const client = await connect();
    client.get("/?session_id=s");
    await asked.promise;
    client[leave]();
    const [res] = responses;
    await eventually("the server knows", () => res!.destroyed || res!.socket?.writable === false);
    answer.resolve(true);
    await nextTurn();
    await client.closed;
    await eventually("nobody follows", () => bus.stats().followers === 0);
    expect(bus.stats().sessions).toBe(0);
    expect(errors).toEqual([]);
  });

  test("in the same packet as the request", async () => {
    const { bus, connections, connect, nobodyFollows } = await serveHostile(cleanUp);
    bus.publish("s", { message: "one" });
    for (let round = 0; round < 50; round++) {
      const client = await connect();
      client.socket.end("GET /?session_id=s HTTP/1.1\r\nHost: localhost\r\n\r\n");
      await client.closed;
    }
    await nobodyFollows();
    await eventually("no connection is left", () => connections() === 0);
  });

  test.each(["close", "reset"] as const)("during a long replay: %s", async (leave) => {
    const { bus, errors, connect, nobodyFollows } = await serveHostile(cleanUp);
    for (let n = 0; n < 1_000; n++) bus.publish("s", { message: ".".repeat(1_000) });
    for (let round = 0; round < 20; round++) {
      const client = await connect();
      client.get("/?session_id=s");
      await client.until("event: ready");
      client[leave]();
      await client.closed;
    }
    await nobodyFollows();
    expect(errors).toEqual([]);
  });

  test("with only their half of the connection", async () => {
    const { bus, connect, nobodyFollows } = await serveHostile(cleanUp);
    bus.publish("s", { message: "one" });
    const client = await connect();
    client.get("/?session_id=s");
    await client.until("event: agent");
    client.halfClose();
    await client.closed;
    await nobodyFollows();
  });

  test("with only their half, and they stop reading: cut off at the write deadline", async () => {
    const { bus, connections, connect, nobodyFollows } = await serveHostile(cleanUp, {
      writeDeadlineMs: 100,
    });
    const client = await connect();
    client.get("/?session_id=s");
    await client.until("event: ready");
    client.socket.pause();
    for (let n = 0; n < 4_000; n++) bus.publish("s", { message: ".".repeat(2_000) });
    client.halfClose();
    await nobodyFollows();
    await eventually("the connection is gone", () => connections() === 0);
  });

  test("ten thousand times, and nothing of them stays", async () => {
    const { bus, connections, port, responses, nobodyFollows } = await serveHostile(cleanUp);
    bus.publish("known", { message: "one" });
    const comeAndGo = async (count: number): Promise<void> => {
      for (let n = 0; n < count; n++) {
        const client = await RawClient.connect(port);
        client.get(`/?session_id=${n % 2 === 0 ? "known" : `unknown-${n}`}`);
        await client.until("event: ready");
        if (n % 4 < 2) client.close();
        else client.reset();
        await client.closed;
      }
    };
    const inParallel = async (count: number): Promise<void> => {
      await Promise.all(Array.from({ length: 200 }, () => comeAndGo(count / 200)));
      await nobodyFollows();
      await eventually("no connection is left", () => connections() === 0);
      responses.length = 0;
    };
    // Until the engine has compiled everything there is some growth that is not of theirs, and on a busy machine
    // it compiles late; what they leave behind grows each time.
    await inParallel(4_000);
    let grown = Infinity;
    for (let attempt = 0; attempt < 3 && grown >= 6_000 * 50; attempt++) {
      const before = await heldBytes();
      await inParallel(6_000);
      grown = (await heldBytes()) - before;
    }
    expect(bus.stats()).toMatchObject({ followers: 0, sessions: 1, events: 1 });
    // Whatever stayed of each would be more than 50 bytes.
    expect(grown).toBeLessThan(6_000 * 50);
  }, 120_000);
});
