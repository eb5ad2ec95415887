/** `handler` on a free port, at any path; `close` cuts what is left of its connections. */
export function serveDeno(
  handler: (request: Request, info: unknown) => Response | Promise<Response>,
): Promise<{ url: string; close(): Promise<void> }> {
  const controller = new AbortController();
  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {}, signal: controller.signal },
    handler,
  );
  return Promise.resolve({
    url: `http://127.0.0.1:${server.addr.port}/events`,
    close: () => {
      controller.abort();
      return server.finished;
    },
  });
}
