import { checkApp } from "../check-app.ts";
import { app } from "./app.ts";

await checkApp(await app.listen({ port: 0, host: "127.0.0.1" }));
await app.close();
console.log("Fastify: the owner follows, others are refused");
