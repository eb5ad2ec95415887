import { type BusCore, coreOf } from "../../bus/hub.ts";
import { Connection, type ConnectionLimits, type Wire } from "../connection.ts";
import { mismatch } from "../../runtime/errors.ts";
import type { AgentEvent } from "../../protocol/event.ts";
import { resumeAt } from "../../bus/iterate.ts";
import { checkWhole, isSessionId } from "../../bus/session-registry.ts";
import { settlesWithin } from "../../runtime/timers.ts";
import { type ByteSink, encodeClosing, eventStreamWire } from "./event-stream.ts";
import type { StreamBytes } from "./shared-bytes.ts";

/** An answer instead of a stream, as `application/problem+json`. */
export interface Refusal {
  /** 400 to 599. Mind that `EventSource` gives up for good on any of them. */
  readonly status: number;
  readonly title?: string | undefined;
  readonly detail?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/** Options of `sseHandler`, the same in every adapter. `Req` is what the framework calls a request. */
export interface SseOptions<Req> {
  /** Which session is asked for. Default: the query parameter `session_id`. */
  session?: ((req: Req) => string | undefined | Promise<string | undefined>) | undefined;
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
  /** Which agent events this request sees; what it withholds counts as received. One that throws withholds. */
  filter?: ((event: AgentEvent, req: Req) => boolean) | undefined;
  /** A comment after this much silence, so that proxies keep the connection. Default 15,000. */
  keepAliveMs?: number | undefined;
  /** Reconnection time for clients, ± 10 %. Default 2,000. */
  retryMs?: number | undefined;
  /**
   * A client that takes nothing for so long is cut off; it may come back and resume. What the system's buffers
   * take in is not seen, so it has to get along with about 1 MiB in this time. Default 30,000.
   */
  writeDeadlineMs?: number | undefined;
  /** Ends each response after so long; clients come back and are asked again. Default: never. */
  maxStreamMs?: number | undefined;
  /** Answers 404 for a session that nobody has opened, instead of waiting for it. Default `false`. */
  mustExist?: boolean | undefined;
}

/** One request, as adapters translate it. */
export interface Exchange<Req> {
  /** What `session`, `authorize` and `filter` get. */
  readonly request: Req;
  readonly method: string;
  /** Path and query, or a whole URL. */
  readonly url: string;
  /** A request header, by its lower-case name. */
  header(name: string): string | undefined;
  /** Whether the protocol has a `Connection` header. */
  readonly isHttp1: boolean;
  /** Whether the client has left. */
  readonly gone: boolean;
  /** Answers at once. */
  answer(status: number, headers: Record<string, string>, body: string): void;
  /** Begins a streamed 200. */
  stream(headers: Record<string, string>): ByteSink;
}

/** Answers one exchange, unless its client has left. Never throws and never rejects. */
export type ExchangeHandler<Req> = (exchange: Exchange<Req>) => Promise<void>;

/**
 * The whole of answering `GET /events?session_id=…`, for any framework.
 *
 * @throws {TypeError} If `bus` is no event bus or an option is malformed.
 */
export function createHandler<Req>(bus: unknown, options: SseOptions<Req> = {}): ExchangeHandler<Req> {
  const core = coreOf(bus);
  const handler = new Handler(core, options, checkSettings(options));
  return (exchange) => handler.handle(exchange);
}

/** The checked options of a handler that are numbers. */
interface StreamSettings extends ConnectionLimits {
  readonly retryMs: number;
}

class Handler<Req> {
  readonly #core: BusCore;
  readonly #options: SseOptions<Req>;
  readonly #settings: StreamSettings;
  readonly #wire: Wire<StreamBytes>;

  constructor(core: BusCore, options: SseOptions<Req>, settings: StreamSettings) {
    this.#core = core;
    this.#options = options;
    this.#settings = settings;
    this.#wire = eventStreamWire(settings);
  }

  async handle(exchange: Exchange<Req>): Promise<void> {
    try {
      const refusal = await this.#admit(exchange);
      if (refusal !== undefined && !exchange.gone) refuse(exchange, refusal);
    } catch (thrown) {
      this.#fail(exchange, thrown);
    }
  }

  /** Also for a refusal that cannot be sent: its headers may be malformed, its detail no JSON. */
  #fail(exchange: Exchange<Req>, thrown: unknown): void {
    this.#core.hooks.fail(thrown);
    try {
      const late = { status: 503, headers: { "Retry-After": "5" } };
      if (!exchange.gone) refuse(exchange, thrown instanceof TooLate ? late : { status: 500 });
    } catch (again) {
      this.#core.hooks.fail(again);
    }
  }

  /** Begins the stream, in the same turn unless something has to be waited for, or says why not. */
  async #admit(exchange: Exchange<Req>): Promise<Refusal | undefined> {
    const { method, request, url } = exchange;
    if (method !== "GET" && method !== "HEAD") return { status: 405, headers: { Allow: "GET, HEAD" } };
    if (!acceptsEventStream(exchange.header("accept"))) return { status: 406 };
    const query = new URLSearchParams(url.includes("?") ? url.slice(url.indexOf("?") + 1) : "");
    let sessionId =
      this.#options.session === undefined ? query.get("session_id") : this.#options.session(request);
    if (typeof sessionId === "object" && sessionId !== null)
      sessionId = await this.#inTime("session", sessionId);
    if (!isSessionId(sessionId)) return BAD_SESSION_ID;

    for (let asked = this.#options.authorize; asked !== undefined;) {
      const owner = this.#core.sessions.find(sessionId)?.owner;
      const refusal = await this.#ask(
        asked(request, sessionId, owner === undefined ? null : JSON.parse(owner)),
      );
      if (refusal !== undefined) return refusal;
      // While it was thinking the session may have got another owner: then ask again.
      if (this.#core.sessions.find(sessionId)?.owner === owner) asked = undefined;
    }
    if (exchange.gone) return undefined;
    const header = exchange.header("last-event-id") ?? "";
    return this.#begin(exchange, sessionId, header === "" ? (query.get("last_event_id") ?? "") : header);
  }

  /** What `promise` brings; the client is not to wait for ever. */
  async #inTime<T>(name: string, promise: Promise<T>): Promise<T> {
    const deadline = this.#settings.writeDeadlineMs;
    if (await settlesWithin(promise, deadline)) return promise;
    throw new TooLate(`\`${name}\` gave no answer within ${deadline} ms`);
  }

  async #ask(verdict: boolean | Refusal | Promise<boolean | Refusal>): Promise<Refusal | undefined> {
    const answer = await (typeof verdict === "object"
      ? this.#inTime("authorize", Promise.resolve(verdict))
      : verdict);
    if (answer === true) return undefined;
    if (typeof answer !== "object" || (answer as unknown) === null) return { status: 403 };
    if (!(answer.status >= 400 && answer.status <= 599)) {
      throw mismatch("authorize().status", "from 400 to 599", answer.status);
    }
    return answer;
  }

  #begin(exchange: Exchange<Req>, sessionId: string, lastEventId: string): Refusal | undefined {
    const { sessions, closing } = this.#core;
    const headers = streamHeaders(exchange);
    if (closing) {
      // Not a 503: it would stop EventSource for good.
      exchange.answer(200, headers, encodeClosing(this.#settings.retryMs));
      return undefined;
    }
    const known = sessions.find(sessionId);
    if (this.#options.mustExist === true && !known?.opened) return { status: 404 };
    if (this.#core.isFull(known)) return { status: 429, headers: { "Retry-After": "5" } };
    const { position, resume } = resumeAt(known, lastEventId);
    if (known?.isOverAt(position)) {
      exchange.answer(204, {}, "");
      return undefined;
    }
    if (exchange.method === "HEAD") {
      exchange.answer(200, headers, "");
      return undefined;
    }
    const { request } = exchange;
    const { filter } = this.#options;
    const start = {
      position,
      resume,
      request,
      filter: filter && ((event: AgentEvent) => filter(event, request)),
    };
    const sink = exchange.stream(headers);
    new Connection(this.#core, sessions.join(sessionId), sink, this.#wire, this.#settings, start);
    return undefined;
  }
}

class TooLate extends Error {}

const STREAM_HEADERS: Record<string, string> = {
  "Content-Type": "text/event-stream; charset=utf-8",
  // no-transform: compressing middleware would hold events back.
  "Cache-Control": "no-cache, no-transform",
  "X-Accel-Buffering": "no",
};

function streamHeaders(exchange: Exchange<unknown>): Record<string, string> {
  // Who asks for `close` must get that: Node would take our word for it and keep the connection.
  const keepAlive = exchange.isHttp1 && !/\bclose\b/i.test(exchange.header("connection") ?? "");
  return keepAlive ? { ...STREAM_HEADERS, Connection: "keep-alive" } : STREAM_HEADERS;
}

const BAD_SESSION_ID: Refusal = {
  status: 400,
  detail: "Expected a session id (query parameter `session_id`): 1 to 128 of A-Z a-z 0-9 . _ : ~ -",
};

const TITLES: Record<number, string> = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  406: "Not Acceptable",
  429: "Too Many Requests",
  500: "Internal Server Error",
  503: "Service Unavailable",
};

function refuse(exchange: Exchange<unknown>, { status, title, detail, headers }: Refusal): void {
  const problem = { type: "about:blank", title: title ?? TITLES[status] ?? "Refused", status, detail };
  // Throws for what cannot be sent; some servers would find out too late for an answer.
  const given = new Headers(headers);
  const sent: Record<string, string> = { ...headers };
  if (!given.has("Content-Type")) sent["Content-Type"] = "application/problem+json";
  if (!given.has("Cache-Control")) sent["Cache-Control"] = "no-store";
  exchange.answer(status, sent, JSON.stringify(problem));
}

/** Whether `Accept` allows text/event-stream: the most specific range decides. */
function acceptsEventStream(accept: string | undefined): boolean {
  if (accept === undefined || accept.trim() === "") return true;
  const ranges = new Map<string, boolean>();
  for (const item of accept.toLowerCase().split(",")) {
    const [range = "", ...parameters] = item.split(";").map((part) => part.trim());
    ranges.set(range, !parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter)));
  }
  return ranges.get("text/event-stream") ?? ranges.get("text/*") ?? ranges.get("*/*") ?? false;
}

function checkSettings(options: SseOptions<never>): StreamSettings {
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
