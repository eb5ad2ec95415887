import type { Server } from "node:http";
import { createEventBus, type EventBusOptions, type SessionEventBus } from "session-progress";
import type { SseOptions } from "session-progress/node";
import { cleanups } from "../../support/cleanups.ts";
import {
  type ClientRequest,
  type ClientTransport,
  EventStreamClient,
  overHttp1,
} from "../../support/event-stream-client.ts";

/** Options as every adapter takes them; the suite never looks into a request. */
export type ServeOptions = SseOptions<unknown>;

/** A server on a port of its own with the adapter under test at `url`, for any method. */
interface Served {
  /** Where the adapter answers, without a query. */
  readonly url: string;
  /** Node's server, where there is one for HTTP/1.1. */
  readonly server?: Server | undefined;
  /** Stops the server and cuts what is left of its connections. */
  close(): Promise<void>;
}

/** Headers by lower-case name. */
export type HeadersBefore = Readonly<Record<string, string | readonly string[]>>;

/** `before` is what middleware sets, in the framework's own way, before the adapter gets its turn. */
export type Serve = (
  bus: SessionEventBus,
  options: ServeOptions | undefined,
  before: HeadersBefore,
) => Promise<Served>;

export interface Capabilities {
  /** The suite talks HTTP/1.1 to a server of Node's, which says `Connection` and takes pipelined requests. Default `true`. */
  readonly http1?: boolean;
  /** The adapter's default. Default 15,000. */
  readonly keepAliveMs?: number;
  /** The adapter can see whether a pipelined request's turn has come. Default `true`. */
  readonly seesTurns?: boolean;
  /** There is middleware that sets headers. Default `true`. */
  readonly middleware?: boolean;
  /** The adapter is handed every method, so that 405 is its own answer. Default `true`. */
  readonly methodPassthrough?: boolean;
  /** How to reach the server. Default: plain HTTP/1.1. */
  readonly transport?: ClientTransport;
}

/** A bus behind the adapter under test, and how to follow it. */
export interface Fixture {
  readonly bus: SessionEventBus;
  /** Messages of what the `error` hook was told. */
  readonly errors: string[];
  /** Where the adapter answers, without a query. */
  readonly url: string;
  readonly server: Server | undefined;
  /** Follows session `s`, unless the query says otherwise. */
  follow(query?: Record<string, string>, request?: ClientRequest): Promise<EventStreamClient>;
  /** Follows session `s` as an `EventSource` that comes back. */
  followAfter(lastEventId: string): Promise<EventStreamClient>;
}

export interface AdapterUnderTest extends Required<Omit<Capabilities, "transport">> {
  /** A new bus and a new server, closed after the test. */
  setUp(options?: ServeOptions, busOptions?: EventBusOptions, before?: HeadersBefore): Promise<Fixture>;
}

export function adapterUnderTest(serve: Serve, capabilities: Capabilities): AdapterUnderTest {
  const { http1 = true, seesTurns = true, middleware = true, methodPassthrough = true } = capabilities;
  const { keepAliveMs = 15_000, transport = overHttp1 } = capabilities;
  const cleanUp = cleanups();

  const setUp: AdapterUnderTest["setUp"] = async (options, busOptions, before = {}) => {
    const bus = createEventBus(busOptions);
    const errors: string[] = [];
    bus.on("error", (error) => errors.push(error.message));
    const served = await serve(bus, options, before);
    cleanUp(async () => {
      await bus.close();
      await served.close();
    });
    const follow: Fixture["follow"] = async (query = {}, { headers = {}, ...request } = {}) => {
      const url = `${served.url}?${new URLSearchParams({ session_id: "s", ...query }).toString()}`;
      const accept = { accept: "text/event-stream" };
      const client = await EventStreamClient.open(
        url,
        { ...request, headers: { ...accept, ...headers } },
        transport,
      );
      cleanUp(() => client.close());
      return client;
    };
    const followAfter: Fixture["followAfter"] = (lastEventId) =>
      follow({}, { headers: { "last-event-id": lastEventId } });
    return { bus, errors, url: served.url, server: served.server, follow, followAfter };
  };

  return { http1, keepAliveMs, seesTurns, middleware, methodPassthrough, setUp };
}
