import { createAdaptorServer, type Http2Bindings, type HttpBindings } from "@hono/node-server";
import type { Server } from "node:http";
import { type RunningServer, start } from "./http-server.ts";

/** A server that takes a `Request` and gives a `Response`, as fetch-style runtimes do; `env` is Node's side of it. */
export function serveFetch(
  fetch: (request: Request, env: HttpBindings | Http2Bindings) => Response | Promise<Response>,
): Promise<RunningServer> {
  return start(createAdaptorServer({ fetch }) as Server);
}
