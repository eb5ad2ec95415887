import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";

export interface RunningServer {
  readonly server: Server;
  readonly port: number;
  /** `http://127.0.0.1:<port>` */
  readonly origin: string;
  /** How many connections it has now. */
  connections(): number;
  /** Stops accepting connections and cuts those that are left. Does nothing the second time. */
  close(): Promise<void>;
}

/** Serves `listener` on a free port, or on `port`, to take the place of a server that was closed. */
export function serve(listener: RequestListener, port?: number): Promise<RunningServer> {
  return start(createServer(listener), port);
}

/** Has `server` accept connections on a free port, or on `port`. */
export async function start(server: Server, port = 0): Promise<RunningServer> {
  let connections = 0;
  server.on("connection", (socket) => {
    connections++;
    socket.on("close", () => connections--);
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  const { port: actualPort } = server.address() as AddressInfo;
  return {
    server,
    port: actualPort,
    origin: `http://127.0.0.1:${actualPort}`,
    connections: () => connections,
    close: async () => {
      if (!server.listening) return;
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}
