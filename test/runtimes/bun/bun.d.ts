/** What the tests use of Bun; its own types do not go with those of Node. */
declare namespace Bun {
  interface Server {
    readonly port: number;
    upgrade(request: Request, options: { data: unknown }): boolean;
    stop(closeActive?: boolean): Promise<void>;
  }

  interface ServerWebSocket {
    readonly data: unknown;
    readonly readyState: number;
    send(message: string): number;
    close(code?: number, reason?: string): void;
    getBufferedAmount(): number;
    ping(): number;
    terminate(): void;
  }

  function serve(options: {
    port: number;
    hostname: string;
    idleTimeout?: number;
    fetch(request: Request, server: Server): Response | undefined | Promise<Response | undefined>;
    websocket?: object;
  }): Server;
}
