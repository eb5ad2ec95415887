// In this repository `require("session-progress")` finds the built package: run `npm run build` first.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { checkApp } from "../check-app.ts";

const app = spawn(process.execPath, [fileURLToPath(new URL("app.cjs", import.meta.url))], {
  env: { ...process.env, PORT: "0", NODE_OPTIONS: "" },
  stdio: ["ignore", "pipe", "inherit"],
});
try {
  const [line] = (await once(app.stdout, "data")) as [Buffer];
  await checkApp(line.toString().trim());
} finally {
  app.kill();
}
console.log("Express 4, CommonJS: the owner follows, others are refused");
