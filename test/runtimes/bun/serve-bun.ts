/** `fetch` on a free port, at any path. */
export function serveBun(
  fetch: (request: Request, server: Bun.Server) => Response | Promise<Response>,
): Promise<{ url: string; close(): Promise<void> }> {
  const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch });
  return Promise.resolve({
    url: `http://127.0.0.1:${server.port}/events`,
    close: () => server.stop(true),
  });
}
