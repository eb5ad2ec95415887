import type { AgentEvent } from "../../protocol/event.ts";
import { checkOptionNames, checkWhole, mismatch } from "../../runtime/errors.ts";
import type { ConnectionLimits } from "../connection.ts";
import type { Refusal } from "./refusal.ts";

/** Options of `sseHandler`, the same in every adapter. `Req` is what the framework calls a request. */
export interface SseOptions<Req> {
  /**
   * Which session is asked for. Anything but one well-formed id is a 400: `null`, `undefined`, or an array, which
   * frameworks make of a parameter that was given several times.
   *
   * @defaultValue the query parameter `session_id`
   */
  session?:
    | ((
        req: Req,
      ) =>
        | string
        | readonly string[]
        | null
        | undefined
        | Promise<string | readonly string[] | null | undefined>)
    | undefined;
  /**
   * Whether this request may follow this session; asked before any header is sent, and again when the
   * session's owner has changed. `false` is 403. Without it whoever knows the session id may follow.
   *
   * `owner` is `null` for a session that has none, or that nobody has opened yet: not `undefined`, which
   * would equal the missing id of whoever is not logged in.
   *
   * A throw is 500, no answer within `writeDeadlineMs` 503; both are told to the `error` hook.
   */
  authorize?:
    | ((req: Req, sessionId: string, owner: unknown) => boolean | Refusal | Promise<boolean | Refusal>)
    | undefined;
  /**
   * Which agent events this request sees: those for which it says `true`. What it withholds counts as received. One
   * that throws, or answers anything but a boolean, withholds, and the `error` hook is told.
   */
  filter?: ((event: AgentEvent, req: Req) => boolean) | undefined;
  /**
   * Milliseconds of silence after which a comment is sent, so that proxies keep the connection.
   *
   * @defaultValue 15,000; 5,000 with `/fetch` and `/hono` on Bun, which cuts silent responses sooner
   */
  keepAliveMs?: number | undefined;
  /**
   * Reconnection time for clients in milliseconds, ± 10 %.
   *
   * @defaultValue 2,000
   */
  retryMs?: number | undefined;
  /**
   * A client that takes nothing for so many milliseconds is cut off; it may come back and resume. What the system's
   * buffers take in is not seen, so it has to get along with about 1 MiB in this time.
   *
   * @defaultValue 30,000
   */
  writeDeadlineMs?: number | undefined;
  /**
   * Ends each response after so many milliseconds; clients come back and are asked again.
   *
   * @defaultValue never
   */
  maxStreamMs?: number | undefined;
  /**
   * Answers 404 for a session that nobody has opened, instead of waiting for it.
   *
   * @defaultValue `false`
   */
  mustExist?: boolean | undefined;
}

/** The checked options of a handler that are numbers. */
export interface StreamSettings extends ConnectionLimits {
  readonly retryMs: number;
}

const NAMES: Readonly<Record<keyof SseOptions<never>, 1>> = {
  session: 1,
  authorize: 1,
  filter: 1,
  keepAliveMs: 1,
  retryMs: 1,
  writeDeadlineMs: 1,
  maxStreamMs: 1,
  mustExist: 1,
};

/** @throws {TypeError} If an option is malformed. */
export function checkSettings(options: SseOptions<never>): StreamSettings {
  checkOptionNames("sseHandler", options, NAMES);
  const { keepAliveMs = 15_000, retryMs = 2_000, writeDeadlineMs = 30_000, maxStreamMs = Infinity } = options;
  checkWhole("keepAliveMs", keepAliveMs, 1);
  checkWhole("retryMs", retryMs, 0);
  checkWhole("writeDeadlineMs", writeDeadlineMs, 1);
  if (maxStreamMs !== Infinity) checkWhole("maxStreamMs", maxStreamMs, 1);
  for (const name of ["session", "authorize", "filter"] as const) {
    const given = options[name];
    if (given !== undefined && typeof given !== "function") throw mismatch(name, "a function", given);
  }
  return { keepAliveMs, retryMs, writeDeadlineMs, maxStreamMs };
}
