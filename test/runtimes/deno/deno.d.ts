/** What the tests use of Deno; its own types do not go with those of Node. */
declare namespace Deno {
  interface HttpServer {
    readonly addr: { readonly port: number };
    readonly finished: Promise<void>;
  }

  function serve(
    options: { port: number; hostname: string; onListen(): void; signal?: AbortSignal },
    handler: (request: Request, info: unknown) => Response | Promise<Response>,
  ): HttpServer;
  function upgradeWebSocket(request: Request): { socket: WebSocket; response: Response };
}
