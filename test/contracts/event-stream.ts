import { describe } from "vitest";
import { testAccess } from "./event-stream/access.ts";
import { adapterUnderTest, type Capabilities, type Serve } from "./event-stream/adapter-under-test.ts";
import { testLoad } from "./event-stream/load.ts";
import { testRefusals } from "./event-stream/refusals.ts";
import { testResuming } from "./event-stream/resuming.ts";
import { testWire } from "./event-stream/wire.ts";

/** What the wire says of a session, whichever adapter serves it (PROTOCOL.md). */
export function testEventStream(name: string, serve: Serve, capabilities: Capabilities = {}): void {
  const adapter = adapterUnderTest(serve, capabilities);

  // No test waits for time to pass; the limit is for machines that are busy with something else.
  describe(`event stream: ${name}`, { timeout: 20_000 }, () => {
    testWire(adapter);
    testResuming(adapter);
    testRefusals(adapter);
    testAccess(adapter);
    testLoad(adapter);
  });
}
