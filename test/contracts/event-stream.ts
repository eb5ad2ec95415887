import { describe } from "vitest";
import { testAccess } from "./event-stream/access.ts";
import { adapterUnderTest, type Capabilities, type Serve } from "./event-stream/adapter-under-test.ts";
import { testConnections } from "./event-stream/connections.ts";
import { testHeaders } from "./event-stream/headers.ts";
import { testLoad } from "./event-stream/load.ts";
import { testRefusals } from "./event-stream/refusals.ts";
import { testResuming } from "./event-stream/resuming.ts";
import { testWire } from "./event-stream/wire.ts";

export type { Serve } from "./event-stream/adapter-under-test.ts";

/** What the wire says of a session, whichever adapter serves it (PROTOCOL.md). */
export function testEventStream(name: string, serve: Serve, capabilities: Capabilities = {}): void {
  const adapter = adapterUnderTest(serve, capabilities);

  describe(`event stream: ${name}`, () => {
    testWire(adapter);
    testResuming(adapter);
    testRefusals(adapter);
    testAccess(adapter);
    testHeaders(adapter);
    testConnections(adapter);
    testLoad(adapter);
  });
}
