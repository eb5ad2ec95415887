import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { eventually } from "../../support/eventually.ts";
import { startWorkerd } from "./start-workerd.ts";

test("a handler that is made outside of requests is warned of", async () => {
  const worker = fileURLToPath(new URL("global-bus.ts", import.meta.url));
  const { complaints, stop } = await startWorkerd(process.env["WORKERD_PATH"]!, worker);
  try {
    const warned = (): boolean =>
      complaints.some((line) => line.includes("Keep the bus and its handler in a Durable"));
    await eventually("warned", warned);
  } finally {
    await stop();
  }
  expect(complaints.filter((line) => line.includes("sseHandler()"))).toHaveLength(1);
}, 60_000);
