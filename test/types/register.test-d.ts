import { expectTypeOf, test } from "vitest";
import {
  type AgentEvent,
  createEventBus,
  type EventData,
  type Outcome,
  type ProgressReport,
  reportProgress,
  type SessionEndEvent,
} from "session-progress";
import "./register.d.ts";

const bus = createEventBus();

test("Register types `data` in reports, events and outcomes at once", () => {
  expectTypeOf<EventData>().toEqualTypeOf<{ file: string; line?: number }>();
  expectTypeOf<ProgressReport["data"]>().toEqualTypeOf<EventData | undefined>();
  expectTypeOf<AgentEvent["data"]>().toEqualTypeOf<EventData | undefined>();
  expectTypeOf<SessionEndEvent["data"]>().toEqualTypeOf<EventData | undefined>();
  expectTypeOf<Outcome["data"]>().toEqualTypeOf<EventData | undefined>();
});

test("data of another shape does not compile", () => {
  reportProgress({ data: { file: "a.ts" } });
  // @ts-expect-error a number is no file
  reportProgress({ data: { file: 7 } });
  // @ts-expect-error there is no such key
  bus.publish("s", { data: { file: "a.ts", column: 1 } });
  // @ts-expect-error `file` is missing
  bus.end("s", { data: {} });
  bus.start(() => 1, { result: (line) => ({ file: "a.ts", line }) });
  // @ts-expect-error `result` makes data
  bus.start(() => 1, { result: (line) => line });
});
