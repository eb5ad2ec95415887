import { expect, test } from "vitest";
import { cleanups } from "../../../support/cleanups.ts";
import { deferred } from "../../../support/deferred.ts";
import { eventually } from "../../../support/eventually.ts";
import { serveHostile } from "../../../support/hostile-server.ts";

const cleanUp = cleanups();

test("a hundred thousand random session ids leave no session, and runs are never refused for them", async () => {
  const { bus, connect, errors } = await serveHostile(cleanUp, {}, { maxSessions: 10, maxFollowers: 50 });
  const PER_WRITE = 500;
  const WRITES = 200;
  const client = await connect();
  let answered = 0;
  let rest = "";
  let sent = 0;
  let allAnswered = deferred();
  client.socket.on("data", (text: string) => {
    const parts = (rest + text).split("HTTP/1.1 200 OK");
    answered += parts.length - 1;
    rest = parts.at(-1)!;
    if (answered === sent) allAnswered.resolve();
    // Only to keep the text short.
    client.received = "";
  });
  for (let write = 0; write < WRITES; write++) {
    let batch = "";
    for (let n = 0; n < PER_WRITE; n++, sent++) {
      batch += `HEAD /?session_id=random-${Math.random()} HTTP/1.1\r\nHost: x\r\n\r\n`;
    }
    allAnswered = deferred();
    client.send(batch);
    await allAnswered.promise;
    if (write % 20 === 0) {
      expect(await bus.start(() => "done", { sessionId: `run-${write / 20}` }).done).toMatchObject({
        status: "completed",
      });
    }
  }
  expect(sent).toBe(100_000);
  expect(bus.stats()).toMatchObject({ sessions: 10, followers: 0, drops: 0 });

  // As many followers of random sessions as there may be: still no state, and room for every run.
  const followers = await Promise.all(Array.from({ length: 50 }, connect));
  for (const follower of followers) follower.get(`/?session_id=random-${Math.random()}`);
  await Promise.all(followers.map((follower) => follower.until("event: ready")));
  for (let n = 0; n < 20; n++) {
    const { done } = bus.start(({ reporter }) => reporter.report({ message: "heard" }), {
      sessionId: `more-${n}`,
    });
    expect((await done).status).toBe("completed");
  }
  expect(bus.stats()).toMatchObject({ sessions: 10, followers: 50, drops: 0 });
  for (const follower of followers) follower.reset();
  await eventually("nobody follows", () => bus.stats().followers === 0);
  expect(errors).toEqual([]);
}, 120_000);
