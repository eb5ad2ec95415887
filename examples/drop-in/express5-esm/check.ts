import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { checkApp } from "../check-app.ts";
import { app, bus } from "./app.ts";

const server = app.listen(0, "127.0.0.1");
await once(server, "listening");
await checkApp(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
await bus.close();
server.close();
console.log("Express 5, ES modules: the owner follows, others are refused");
