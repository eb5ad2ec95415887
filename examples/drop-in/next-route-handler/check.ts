import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { serve } from "@hono/node-server";
import { checkApp } from "../check-app.ts";
import { bus } from "./bus.ts";

type Handler = (request: Request) => Promise<Response>;

/** The part of Next.js that is needed here: `app/api/events/route.ts` answers `/api/events`. */
async function route(request: Request): Promise<Response> {
  const { pathname } = new URL(request.url);
  const file = new URL(`./app${pathname}/route.ts`, import.meta.url);
  const handlers = (await import(file.href)) as Record<string, Handler | undefined>;
  const handler = handlers[request.method];
  return handler === undefined ? new Response(null, { status: 405 }) : handler(request);
}

const server = serve({ fetch: route, port: 0, hostname: "127.0.0.1" });
if (!server.listening) await once(server, "listening");
await checkApp(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
await bus.close();
server.close();
console.log("Next.js route handlers: the owner follows, others are refused");
