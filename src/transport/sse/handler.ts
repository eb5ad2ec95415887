import type { Carrier } from "../../bus/followers.ts";
import type { Hub } from "../../bus/hub.ts";
import { filling, hubOf } from "../../bus/hub-of.ts";
import { LAST_EVENT_ID_HEADER, LAST_EVENT_ID_QUERY, SESSION_QUERY } from "../../protocol/names.ts";
import { isSessionId, SESSION_ID_RULE } from "../../protocol/session-id.ts";
import { mismatch } from "../../runtime/errors.ts";
import { reserveStack } from "../../runtime/stack.ts";
import { settlesWithin } from "../../runtime/timers.ts";
import { admission, admitting } from "../admission.ts";
import type { AnswerHeaders } from "../answer-headers.ts";
import { Connection } from "../connection.ts";
import type { Format } from "../format.ts";
import { type BytePeer, encodeClosing, EVENT_STREAM_KEY, eventStreamFormat } from "./event-stream.ts";
import { acceptsEventStream, type Answerable, type Refusal, refuse, TooLate } from "./refusal.ts";
import { checkSettings, type SseOptions, type StreamSettings } from "./options.ts";
import type { SharedBytes } from "./shared-bytes.ts";

/** One request, as adapters translate it. */
export interface Exchange<Req> {
  /** What `session`, `authorize` and `filter` get. */
  readonly request: Req;
  readonly method: string;
  /** Path and query, or a whole URL. */
  readonly url: string;
  /** A request header, by its lower-case name. */
  header(name: string): string | undefined;
  /** Whether the client has left. */
  readonly gone: boolean;
  /** What the request came by, where that carries many at once. */
  readonly carrier?: Carrier | undefined;
  /** Answers at once. */
  answer(status: number, headers: AnswerHeaders, body: string): void;
  /** Begins a streamed 200. */
  stream(headers: AnswerHeaders): BytePeer;
}

/** Answers one exchange, unless its client has left. Never throws and never rejects. */
export type ExchangeHandler<Req> = (exchange: Exchange<Req>) => Promise<void>;

/**
 * The whole of answering `GET /events?session_id=…`, for any framework.
 *
 * @throws {TypeError} If `bus` is no event bus or an option is malformed.
 */
export function createHandler<Req>(bus: unknown, options: SseOptions<Req> = {}): ExchangeHandler<Req> {
  const handler = new Handler(hubOf(bus), options, checkSettings(options));
  return (exchange) => {
    // Here it may still throw; later it would be a rejection that nobody awaits.
    reserveStack(1);
    return handler.handle(exchange);
  };
}

class Handler<Req> {
  readonly #hub: Hub;
  readonly #options: SseOptions<Req>;
  readonly #settings: StreamSettings;
  readonly #format: Format<SharedBytes>;

  constructor(hub: Hub, options: SseOptions<Req>, settings: StreamSettings) {
    this.#hub = hub;
    this.#options = options;
    this.#settings = settings;
    this.#format = eventStreamFormat(settings);
  }

  async handle(exchange: Exchange<Req>): Promise<void> {
    try {
      if (exchange.carrier !== undefined) this.#hub.followers.carriedBy(exchange.carrier);
      const refusal = await this.#admit(exchange);
      if (refusal !== undefined && !exchange.gone) this.#refuse(exchange, refusal);
    } catch (thrown) {
      this.#fail(exchange, thrown);
    }
  }

  /** Also for a refusal that cannot be sent: its headers may be malformed, its detail no JSON. */
  #fail(exchange: Exchange<Req>, thrown: unknown): void {
    this.#hub.faults.tell(thrown);
    try {
      const late = { status: 503, headers: { "Retry-After": "5" } };
      if (!exchange.gone) this.#refuse(exchange, thrown instanceof TooLate ? late : { status: 500 });
    } catch (again) {
      this.#hub.faults.tell(again);
    }
  }

  #refuse(exchange: Exchange<Req>, refusal: Refusal): void {
    refuse({ answer: (...answer) => this.#answer(exchange, ...answer) }, refusal);
  }

  /** A process that closes lets the connection go: it would be asked again and again over the same one. */
  #answer(exchange: Exchange<Req>, ...[status, headers, body]: Parameters<Answerable["answer"]>): void {
    const { carrier } = exchange;
    const isLast = this.#hub.closing && carrier?.close === undefined;
    exchange.answer(status, isLast ? { ...headers, Connection: "close" } : headers, body);
    if (this.#hub.closing) carrier?.close?.();
  }

  /** Begins the stream, in the same turn unless something has to be waited for, or says why not. */
  async #admit(exchange: Exchange<Req>): Promise<Refusal | undefined> {
    const { method, request, url } = exchange;
    if (method !== "GET" && method !== "HEAD") return { status: 405, headers: { Allow: "GET, HEAD" } };
    if (!acceptsEventStream(exchange.header("accept"))) return { status: 406 };
    const query = new URLSearchParams(url.includes("?") ? url.slice(url.indexOf("?") + 1) : "");
    const { session } = this.#options;
    let sessionId = session === undefined ? only(query) : session(request);
    if (isPromise(sessionId)) sessionId = await this.#inTime("session", sessionId);
    if (!isSessionId(sessionId)) return BAD_SESSION_ID;
    const filled = filling(this.#hub, sessionId);
    if (filled !== undefined) await this.#inTime("backplane", filled);

    for (let asked = this.#options.authorize; asked !== undefined;) {
      const owner = this.#hub.find(sessionId)?.owner;
      const refusal = await this.#ask(asked(request, sessionId, owner?.value ?? null));
      if (refusal !== undefined) return refusal;
      // While it was thinking the session may have got another owner: then ask again.
      if (this.#hub.find(sessionId)?.owner?.json === owner?.json) asked = undefined;
    }
    return exchange.gone ? undefined : this.#begin(exchange, sessionId, lastEventId(exchange, query));
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

  #begin(exchange: Exchange<Req>, sessionId: string, lastId: string): Refusal | undefined {
    const { carrier } = exchange;
    const admitted = admission(this.#hub, sessionId, lastId, this.#options.mustExist === true, carrier);
    switch (admitted.kind) {
      case "closing":
        // Not a 503: it would stop EventSource for good.
        this.#answer(exchange, 200, STREAM_HEADERS, encodeClosing(this.#settings.retryMs));
        return undefined;
      case "unknown":
        return { status: 404 };
      case "over":
        this.#answer(exchange, 204, NO_STORE, "");
        return undefined;
      case "full":
        return { status: 429, headers: { "Retry-After": "5" } };
      case "follow":
    }
    if (exchange.method === "HEAD") {
      this.#answer(exchange, 200, STREAM_HEADERS, "");
      return undefined;
    }
    const hub = this.#hub;
    const { request } = exchange;
    const { filter } = this.#options;
    const session = hub.join(sessionId);
    const admit = admitting(hub, session, filter && ((event) => filter(event, request)));
    const peer = exchange.stream(STREAM_HEADERS);
    const start = { ...admitted.start, request, carrier, admit };
    new Connection(hub, session, peer, this.#format, EVENT_STREAM_KEY, this.#settings, start);
    return undefined;
  }
}

function isPromise<T>(value: T | Promise<T>): value is Promise<T> {
  return typeof value === "object" && value !== null && "then" in value;
}

/** The session id of the query; given several times it means nothing: a router may have gone by another one. */
function only(query: URLSearchParams): string | undefined {
  const [id, ...others] = query.getAll(SESSION_QUERY);
  return others.length > 0 ? undefined : id;
}

/** The header wins, unless it is empty; then the query, also in the word that polyfills use. */
function lastEventId(exchange: Exchange<unknown>, query: URLSearchParams): string {
  const header = exchange.header(LAST_EVENT_ID_HEADER) ?? "";
  if (header !== "") return header;
  for (const name of LAST_EVENT_ID_QUERY) {
    const value = query.get(name);
    if (value !== null) return value;
  }
  return "";
}

// Neither `Connection` nor `Transfer-Encoding`: those are the server's, and overriding a `close` of Node's makes
// clients use a socket again that is closing.
const STREAM_HEADERS: AnswerHeaders = {
  "Content-Type": "text/event-stream; charset=utf-8",
  // no-transform: compressing middleware would hold events back.
  "Cache-Control": "no-cache, no-transform",
  "X-Accel-Buffering": "no",
};

const NO_STORE: AnswerHeaders = { "Cache-Control": "no-store" };

const BAD_SESSION_ID: Refusal = {
  status: 400,
  detail: `Expected one session id (query parameter \`${SESSION_QUERY}\`): ${SESSION_ID_RULE}`,
};
