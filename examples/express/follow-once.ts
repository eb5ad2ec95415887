import { createParser } from "eventsource-parser";
import type { SessionEntry, SessionEvent } from "session-progress";
import { checkProgress } from "session-progress/testing";
import type { Review } from "./agents/reviewer.ts";

const AGENTS = ["supervisor", "architect", "codesmith", "reviewer"];
const MAX_SILENCE_MS = 60_000;

/** Starts one run over HTTP, prints its events as they come, and returns a closing line. Throws if anything is missing. */
export async function followOnce(url: string): Promise<string> {
  const entries: SessionEntry[] = [];
  let began: number | undefined;
  for await (const entry of follow(url, await startRun(url))) {
    const { event } = entry;
    const at = "ts" in event ? Date.parse(event.ts) : undefined;
    began ??= at;
    console.log(formatLine(event, at === undefined ? undefined : at - began!));
    entries.push(entry);
  }
  return closingLine(entries);
}

async function startRun(url: string): Promise<string> {
  const response = await fetch(`${url}/runs`, { method: "POST" });
  if (!response.ok) throw new Error(`POST /runs answered ${response.status}`);
  const { sessionId } = (await response.json()) as { sessionId: string };
  return sessionId;
}

/** What the event stream says, until it ends. */
async function* follow(url: string, sessionId: string): AsyncGenerator<SessionEntry> {
  const silence = new AbortController();
  const timer = setTimeout(() => {
    silence.abort(new Error(`no event came for ${MAX_SILENCE_MS / 1_000} s`));
  }, MAX_SILENCE_MS);
  try {
    const response = await fetch(`${url}/events?session_id=${sessionId}`, { signal: silence.signal });
    if (response.status !== 200 || response.body === null) {
      throw new Error(`GET /events answered ${response.status}`);
    }
    const pending: SessionEntry[] = [];
    const parser = createParser({
      onEvent: ({ id = "", event, data }) => {
        if (event !== "ready") pending.push({ id, event: JSON.parse(data) as SessionEvent });
      },
    });
    const decoder = new TextDecoder();
    for await (const bytes of response.body) {
      parser.feed(decoder.decode(bytes, { stream: true }));
      if (pending.length > 0) timer.refresh();
      yield* pending.splice(0);
    }
  } finally {
    clearTimeout(timer);
  }
}

function formatLine(event: SessionEvent, elapsed: number | undefined): string {
  const time = elapsed === undefined ? "" : `${(elapsed / 1_000).toFixed(3)}s`;
  const columns = event.t === "agent_event" ? agentColumns(event) : otherColumns(event);
  const [who, what, percent, text] = columns;
  const line = `${time.padStart(8)}  ${who.padEnd(10)}  ${what.padEnd(9)}  ${percent.padStart(4)}  ${text}`;
  // A file may be called anything, and this is somebody's terminal.
  return line.replace(/\p{Cc}/gu, "\u{FFFD}").trimEnd();
}

type Columns = readonly [who: string, what: string, percent: string, text: string];

function agentColumns({ agent, phase, pct, msg }: Extract<SessionEvent, { t: "agent_event" }>): Columns {
  return [agent, phase, pct === undefined ? "" : `${Math.floor(pct * 100)}%`, msg];
}

function otherColumns(event: Exclude<SessionEvent, { t: "agent_event" }>): Columns {
  if (event.t === "gap") return ["(gap)", event.reason, "", `${event.missed ?? event.lost ?? "some"} events`];
  return ["(end)", event.status, "", event.msg ?? ""];
}

/** What there is to say of a whole run; throws when it is not whole. */
export function closingLine(entries: readonly SessionEntry[]): string {
  const problems = [
    ...checkIds(entries),
    ...checkProgress(entries),
    ...checkAgents(entries),
    ...checkEnd(entries),
  ];
  if (problems.length > 0) throw new Error(`the run is not as it should be: ${problems.join("; ")}`);
  return `ok: ${entries.length} events from ${AGENTS.length} agents, ids 1 to ${entries.length} without a hole; ${verdictOf(entries)!}`;
}

function checkIds(entries: readonly SessionEntry[]): string[] {
  const epoch = entries[0]?.id.split("-")[0];
  return entries.flatMap(({ id }, index) => {
    const expected = `${epoch}-${index + 1}`;
    return id === expected ? [] : `expected id ${expected}, got ${id}`;
  });
}

function checkAgents(entries: readonly SessionEntry[]): string[] {
  return AGENTS.flatMap((agent) => {
    const own = entries.flatMap(({ event }) =>
      event.t === "agent_event" && event.agent === agent ? event : [],
    );
    if (own.length === 0) return `${agent} never reported`;
    return own.some(({ phase }) => phase === "result") ? [] : `${agent} gave no result`;
  });
}

function checkEnd(entries: readonly SessionEntry[]): string[] {
  const last = entries.at(-1)?.event;
  if (last?.t !== "session_end") return ["the stream stopped before the end"];
  if (last.status !== "completed") return [`the run ended as ${last.status}`];
  return verdictOf(entries) === undefined ? ["there is no verdict"] : [];
}

function verdictOf(entries: readonly SessionEntry[]): string | undefined {
  const last = entries.at(-1)?.event;
  const review = last?.t === "session_end" ? (last.data as Partial<Review> | undefined) : undefined;
  return review?.verdict && `verdict: ${review.verdict}`;
}
