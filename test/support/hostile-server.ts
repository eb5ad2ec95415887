import type { IncomingMessage } from "node:http";
import { expect } from "vitest";
import type { EventBusOptions } from "session-progress";
import type { SseOptions } from "session-progress/node";
import type { Cleanup } from "./cleanups.ts";
import { eventually } from "./eventually.ts";
import { RawClient } from "./raw-client.ts";
import { serveEvents, type SseServer } from "./sse-server.ts";

export interface HostileServer extends SseServer {
  connect(): Promise<RawClient>;
  nobodyFollows(): Promise<void>;
}

/** A server for clients that misbehave: whatever they do, the process may not be warned of anything. */
export async function serveHostile(
  cleanUp: (cleanup: Cleanup) => void,
  options?: SseOptions<IncomingMessage>,
  busOptions?: EventBusOptions,
): Promise<HostileServer> {
  const warnings: string[] = [];
  const warned = (warning: Error): void => void warnings.push(warning.message);
  process.on("warning", warned);
  const server = await serveEvents(options, busOptions);
  cleanUp(async () => {
    process.off("warning", warned);
    await server.close();
    expect(warnings).toEqual([]);
  });
  return {
    ...server,
    connect: async () => {
      const client = await RawClient.connect(server.port);
      cleanUp(() => client.close());
      return client;
    },
    nobodyFollows: () => eventually("nobody follows", () => server.bus.stats().followers === 0),
  };
}
