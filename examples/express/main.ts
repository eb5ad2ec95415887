import { once } from "node:events";
import { stat } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { createEventBus, type SessionEventBus } from "session-progress";
import { followOnce } from "./follow-once.ts";
import { createApp } from "./server.ts";

const USAGE = "usage: npm run demo [-- [--once] [PATH]]   (PORT=8002)";
/** Long enough to reload the page in the middle. */
const WATCHED_MS = 20_000;
const HERE = resolve(import.meta.dirname, "../..");

try {
  await main();
} catch (error) {
  console.error(`demo: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}

async function main(): Promise<void> {
  const { root, justOnce } = await readArguments();
  const bus = createEventBus();
  // Followers learn that a run failed, only this process learns why.
  bus.on("end", (_sessionId, { error }) => {
    if (error !== undefined) console.error(error);
  });
  const app = createApp(bus, root, justOnce ? 0 : WATCHED_MS);
  const server = await listen(createServer(app), justOnce ? 0 : portFromEnvironment());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  if (justOnce) {
    try {
      console.log(await followOnce(url));
    } finally {
      await shutDown(bus, server);
    }
    return;
  }
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => {
      // A run may still be reading files; nobody is left to read its report.
      void shutDown(bus, server).then(() => process.exit(0));
    });
  }
  announce(url, root);
}

async function readArguments(): Promise<{ root: string; justOnce: boolean }> {
  const { values, positionals } = parse(process.argv.slice(2));
  if (positionals.length > 1) throw new Error(`one PATH at most, got ${positionals.length}; ${USAGE}`);
  const root = resolve(positionals[0] ?? HERE);
  const found = await stat(root).catch(() => undefined);
  if (found === undefined) throw new Error(`there is no directory ${root}`);
  if (!found.isDirectory()) throw new Error(`${root} is no directory`);
  return { root, justOnce: values.once };
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: { once: { type: "boolean", default: false } },
    });
  } catch (cause) {
    throw new Error(USAGE, { cause });
  }
}

function portFromEnvironment(): number {
  const text = process.env["PORT"] ?? "8002";
  const port = Number(text);
  if (text !== "" && Number.isInteger(port) && port >= 0 && port <= 65_535) return port;
  throw new Error(`PORT should be a number from 0 to 65535, got "${text}"`);
}

async function listen(server: Server, port: number): Promise<Server> {
  try {
    await once(server.listen(port, "127.0.0.1"), "listening");
    return server;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
    throw new Error(`port ${port} is in use; try PORT=${port + 1} npm run demo`, { cause: error });
  }
}

function announce(url: string, root: string): void {
  console.log(`Reviewing ${root}\n`);
  console.log(`  in a browser   ${url}`);
  console.log(
    `  in a terminal  curl -N "${url}/events?session_id=$(curl -sX POST ${url}/runs | cut -d'"' -f4)"\n`,
  );
}

/** The bus first: it ends the event streams, which the server would wait for. */
async function shutDown(bus: SessionEventBus, server: Server): Promise<void> {
  await bus.close();
  await new Promise((closed) => server.close(closed));
}
