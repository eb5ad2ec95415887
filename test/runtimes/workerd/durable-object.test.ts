import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { cleanups } from "../../support/cleanups.ts";
import {
  type Block,
  type ClientRequest,
  dataOf,
  EventStreamClient,
  eventsIn,
} from "../../support/event-stream-client.ts";
import { eventually } from "../../support/eventually.ts";
import { RawWebSocket } from "../../support/raw-web-socket.ts";
import { startWorkerd, type Workerd } from "./start-workerd.ts";

describe("one Durable Object of Cloudflare Workers, with nodejs_compat", { timeout: 20_000 }, () => {
  let workerd: Workerd;
  let sessions = 0;
  const cleanUp = cleanups();

  beforeAll(async () => {
    const worker = fileURLToPath(new URL("worker.ts", import.meta.url));
    workerd = await startWorkerd(process.env["WORKERD_PATH"]!, worker);
  }, 60_000);

  afterAll(async () => {
    await workerd.stop();
    expect(workerd.complaints).toEqual([]);
  });

  /** A session of its own. */
  function session() {
    const id = `s${++sessions}`;
    const at = (path: string, query: Record<string, string> = {}): string =>
      `127.0.0.1:${workerd.port}/${path}?${new URLSearchParams({ session_id: id, ...query }).toString()}`;
    return {
      tell: async (path: string, query?: Record<string, string>): Promise<{ followers: number }> =>
        (await (await fetch(`http://${at(path, query)}`)).json()) as { followers: number },
      follow: async (headers: Record<string, string> = {}, request?: ClientRequest) => {
        const client = await EventStreamClient.open(`http://${at("events")}`, { headers, ...request });
        cleanUp(() => client.close());
        return client;
      },
      socket: (query?: Record<string, string>) => {
        const client = new RawWebSocket(`ws://${at("socket", query)}`);
        cleanUp(() => client.leave());
        return client;
      },
    };
  }

  const events = (blocks: readonly Block[]): Block[] => blocks.filter(({ event }) => event !== undefined);

  test("a run reports from its timers to a follower that came first; the end is the end", async () => {
    const { tell, follow } = session();
    const client = await follow();
    expect((await client.next()).id).toBe("0-0");
    await tell("run");
    const blocks = await client.rest();
    expect(eventsIn(blocks).map(({ msg, t, status }) => msg ?? `${t} ${status}`)).toEqual([
      "begun",
      "done",
      "session_end completed",
    ]);
    expect((await follow({ "last-event-id": blocks.at(-1)!.id! })).status).toBe(204);
  });

  test("resumes exactly, filters silently", async () => {
    const { tell, follow } = session();
    await tell("publish", { message: "one" });
    const client = await follow();
    const { id } = (await client.until("agent")).at(-1)!;
    client.close();
    await tell("publish", { message: "secret", agent: "hidden" });
    await tell("publish", { message: "two" });
    await tell("end");
    const back = events(await (await follow({ "last-event-id": id! })).rest());
    expect(back.map(({ id, event }) => `${id!.split("-")[1]} ${event}`)).toEqual([
      "1 ready",
      "3 agent",
      "4 end",
    ]);
    expect(dataOf(back[0])["resume"]).toBe("resumed");
  });

  test("refuses", async () => {
    const { follow } = session();
    expect((await follow({ authorization: "nobody" })).status).toBe(403);
    expect((await follow({}, { method: "POST" })).status).toBe(405);
    expect((await follow({ accept: "text/html" })).status).toBe(406);
  });

  test("a silent stream is kept alive, one that is disconnected ends, and whoever leaves has left", async () => {
    const { tell, follow } = session();
    const [leaving, staying] = [await follow(), await follow()];
    await Promise.all(
      [leaving, staying].map((client) => client.until(({ comment }) => comment === "keep-alive")),
    );
    const { followers } = await tell("stats");
    leaving.close();
    let left = followers;
    while (left === followers) left = (await tell("stats")).followers;
    expect(left).toBe(followers - 1);
    await tell("disconnect");
    await expect(staying.over).resolves.toBe("end");
  });

  test("a follower that stops reading loses nothing without a gap", async () => {
    const { tell, follow } = session();
    const client = await follow();
    await client.until("ready");
    client.pause();
    for (let n = 0; n < 30; n++) await tell("publish", { message: "x".repeat(2_000), times: "1000" });
    await tell("end");
    client.resume();
    let position = 0;
    for (const block of events(await client.rest())) {
      const next = Number(block.id!.split("-")[1]);
      expect(next).toBe(position + (block.event === "gap" ? Number(dataOf(block)["missed"]) : 1));
      position = next;
    }
    expect(position).toBe(30_001);
  });

  test("a WebSocket: entries, keep-alive, leaving, an end", async () => {
    const { tell, socket } = session();
    const { followers } = await tell("publish", { message: "one" });
    const leaving = socket({ keepAliveMs: "50" });
    expect((await leaving.has(4)).map(({ event }) => event.t)).toEqual([
      "ready",
      "agent_event",
      "ping",
      "ping",
    ]);
    leaving.leave();
    let left = followers + 1;
    while (left > followers) left = (await tell("stats")).followers;
    const client = socket();
    await client.has(2);
    await tell("end");
    expect(await client.closed).toEqual([1000, "end"]);
    await eventually("the end", () => client.entries.at(-1)!.event.t === "session_end");
  });
});
