import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { WebSocketServer } from "ws";

export interface RunningWebSocketServer {
  readonly server: WebSocketServer;
  /** `ws://127.0.0.1:<port>` */
  readonly origin: string;
}

/** A WebSocket server on a free port. Whoever closes it terminates its clients first. */
export async function serveWebSockets(): Promise<RunningWebSocketServer> {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
  await once(server, "listening");
  return { server, origin: `ws://127.0.0.1:${(server.address() as AddressInfo).port}` };
}
