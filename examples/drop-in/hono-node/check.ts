import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { serve } from "@hono/node-server";
import { checkApp } from "../check-app.ts";
import { app, bus } from "./app.ts";

const server = serve({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" });
if (!server.listening) await once(server, "listening");
await checkApp(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
await bus.close();
server.close();
console.log("Hono on Node: the owner follows, others are refused");
