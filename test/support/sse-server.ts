import type { IncomingMessage, ServerResponse } from "node:http";
import { createEventBus, type EventBusOptions, type SessionEventBus } from "session-progress";
import { type SseOptions, sseHandler } from "session-progress/node";
import { type RunningServer, serve } from "./http-server.ts";

export interface SseServer extends RunningServer {
  readonly bus: SessionEventBus;
  /** Messages of what the `error` hook was told. */
  readonly errors: string[];
  /** Node's side of each request, in the order in which they came. */
  readonly responses: ServerResponse[];
  /** Closes the bus, then the server. */
  close(): Promise<void>;
}

/** A bus of its own, followed at any path of a server of its own. `onRequest` sees each response before it is used. */
export async function serveEvents(
  options?: SseOptions<IncomingMessage>,
  busOptions?: EventBusOptions,
  onRequest: (res: ServerResponse) => void = () => {},
): Promise<SseServer> {
  const bus = createEventBus(busOptions);
  const errors: string[] = [];
  bus.on("error", (error) => errors.push(error.message));
  const handle = sseHandler(bus, options);
  const responses: ServerResponse[] = [];
  const running = await serve((req, res) => {
    responses.push(res);
    onRequest(res);
    void handle(req, res);
  });
  return {
    ...running,
    bus,
    errors,
    responses,
    close: async () => {
      await bus.close();
      await running.close();
    },
  };
}
