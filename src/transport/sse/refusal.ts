import { type AnswerHeaders, passing } from "../answer-headers.ts";

/** An answer instead of a stream, as `application/problem+json`. */
export interface Refusal {
  /** 400 to 599. Mind that `EventSource` gives up for good on any of them. */
  readonly status: number;
  /** @defaultValue the usual words for the status */
  readonly title?: string | undefined;
  /** What is wrong, for the developer of the client. */
  readonly detail?: string | undefined;
  /**
   * Sent along: a `Headers`, pairs, or an object, where an array is several lines. `Content-Type` and `Cache-Control`
   * replace the usual ones; `Set-Cookie` and `Vary` go beside those that middleware has set. What speaks of a
   * connection or of another body (`Content-Length`, `Transfer-Encoding`, `ETag` …) is left out, so that all headers
   * of another service's answer may be given.
   */
  readonly headers?:
    | Iterable<readonly [name: string, value: string]>
    | Readonly<Record<string, string | readonly string[] | undefined>>
    | undefined;
}

/** What can be answered at once. */
export interface Answerable {
  answer(status: number, headers: AnswerHeaders, body: string): void;
}

/** The application did not answer in time. */
export class TooLate extends Error {}

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

/** Answers with `refusal`. Throws for what cannot be sent: its headers may be malformed, its detail no JSON. */
export function refuse(exchange: Answerable, { status, title, detail, headers }: Refusal): void {
  const problem = { type: "about:blank", title: title ?? TITLES[status] ?? "Refused", status, detail };
  const sent = passing(headers);
  const given = new Set(Object.keys(sent).map((name) => name.toLowerCase()));
  if (!given.has("content-type")) sent["Content-Type"] = "application/problem+json";
  if (!given.has("cache-control")) sent["Cache-Control"] = "no-store";
  exchange.answer(status, sent, JSON.stringify(problem));
}

/** Whether `Accept` allows text/event-stream: the most specific range decides. */
export function acceptsEventStream(accept: string | undefined): boolean {
  if (accept === undefined || accept.trim() === "") return true;
  const ranges = new Map<string, boolean>();
  for (const item of accept.toLowerCase().split(",")) {
    const [range = "", ...parameters] = item.split(";").map((part) => part.trim());
    ranges.set(range, !parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter)));
  }
  return ranges.get("text/event-stream") ?? ranges.get("text/*") ?? ranges.get("*/*") ?? false;
}
