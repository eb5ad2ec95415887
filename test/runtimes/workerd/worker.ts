import { createEventBus, reportProgress, type SessionEventBus } from "session-progress";
import { sseHandler } from "session-progress/fetch";
import { followOverWebSocket } from "session-progress/websocket";

/** What the test uses of Workers; their own types do not go with those of Node. */
interface Namespace {
  idFromName(name: string): unknown;
  get(id: unknown): { fetch(request: Request): Promise<Response> };
}
declare const WebSocketPair: new () => [WebSocket, WebSocket & { accept(): void }];

/** One bus, and all who report and follow: a Durable Object is one place that every request can be sent to. */
export class Sessions {
  readonly #bus: SessionEventBus = createEventBus();
  readonly #events = sseHandler(this.#bus, {
    keepAliveMs: 50,
    authorize: (request) => request.headers.get("authorization") !== "nobody",
    filter: (event) => event.agent !== "hidden",
  });

  async fetch(request: Request): Promise<Response> {
    const { pathname, searchParams: query } = new URL(request.url);
    const id = query.get("session_id") ?? "s";
    switch (pathname) {
      case "/events":
        return this.#events(request);
      case "/socket": {
        const [client, server] = new WebSocketPair();
        server.accept();
        followOverWebSocket(this.#bus, id, server, {
          after: query.get("after") ?? undefined,
          keepAliveMs: Number(query.get("keepAliveMs") ?? 15_000),
        });
        return new Response(null, { status: 101, webSocket: client } as ResponseInit);
      }
      case "/publish":
        for (let n = 1; n <= Number(query.get("times") ?? 1); n++) {
          this.#bus.publish(id, {
            message: query.get("message") ?? "",
            agent: query.get("agent") ?? "agent",
          });
        }
        break;
      case "/run":
        await this.#bus.start(work, { sessionId: id }).done;
        break;
      case "/end":
        this.#bus.end(id);
        break;
      case "/disconnect":
        this.#bus.disconnect(id);
        break;
    }
    return Response.json(this.#bus.stats());
  }
}

/** Reports from a timer: the context has to reach it. */
async function work(): Promise<void> {
  reportProgress({ message: "begun" });
  await new Promise((resolve) => setTimeout(resolve, 10));
  reportProgress({ message: "done", progress: 1 });
}

export default {
  fetch(request: Request, { SESSIONS }: { SESSIONS: Namespace }): Promise<Response> {
    return SESSIONS.get(SESSIONS.idFromName("all")).fetch(request);
  },
};
