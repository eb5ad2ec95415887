// The process behind remote-readers.ts: follows event streams and counts what it gets.
import { request, type IncomingMessage } from "node:http";
import { createParser, type EventSourceMessage } from "eventsource-parser";
import type { Call, Summary } from "./remote-readers.ts";

class Reader {
  readonly summary: Summary = { received: 0, missed: 0, gaps: 0, position: 0, lastEventId: "", newest: {} };
  readonly #waiting: { position: number; resolve: () => void }[] = [];
  #response: IncomingMessage | undefined;
  #pauseAt: number | undefined;

  open({ url, headers, stalled }: Extract<Call, { method: "open" }>): Promise<void> {
    return new Promise((resolve, reject) => {
      const parser = createParser({
        onEvent: (event) => {
          this.#receive(event);
          if (event.event === "ready") resolve();
        },
      });
      const opened = request(url, { agent: false, headers: { connection: "keep-alive", ...headers } });
      opened.on("error", reject);
      opened.on("response", (response) => {
        this.#response = response;
        response.setEncoding("utf8");
        response.on("data", (text: string) => parser.feed(text));
        response.on("error", () => {});
        response.on("close", () => {
          this.summary.over = response.readableEnded ? "end" : "cut";
          for (const { resolve: wake } of this.#waiting.splice(0)) wake();
        });
        if (stalled) this.#pauseAt = 0;
      });
      opened.end();
    });
  }

  pause(): void {
    this.#response?.pause();
  }

  resume(): void {
    this.#response?.resume();
  }

  close(): void {
    this.#response?.destroy();
  }

  /** Resolves when this position is reached or the stream is over. */
  reached(position: number): Promise<void> {
    return new Promise((resolve) => {
      if (this.summary.position >= position || this.summary.over !== undefined) resolve();
      else this.#waiting.push({ position, resolve });
    });
  }

  #receive({ id, event, data }: EventSourceMessage): void {
    const { summary } = this;
    summary.lastEventId = id ?? summary.lastEventId;
    summary.position = Number(id?.split("-")[1]);
    if (event === "ready") {
      if (this.#pauseAt !== undefined) this.pause();
      return;
    }
    const payload = JSON.parse(data) as { missed?: number; agent?: string; phase?: string };
    if (event === "gap") {
      summary.gaps++;
      summary.missed += payload.missed ?? 0;
    } else {
      summary.received++;
      if (event === "agent") summary.newest[`${payload.agent} ${payload.phase}`] = summary.position;
    }
    for (const one of [...this.#waiting]) {
      if (one.position > summary.position) continue;
      this.#waiting.splice(this.#waiting.indexOf(one), 1);
      one.resolve();
    }
  }
}

const readers = new Map<number, Reader>();

async function answer(call: Call): Promise<Summary> {
  let reader = readers.get(call.reader);
  if (reader === undefined) readers.set(call.reader, (reader = new Reader()));
  if (call.method === "open") await reader.open(call);
  else if (call.method === "reached") await reader.reached(call.position);
  else reader[call.method]();
  return reader.summary;
}

process.on("message", (call: Call) => {
  answer(call).then(
    (summary) => process.send?.({ call: call.call, summary }),
    (error: unknown) => process.send?.({ call: call.call, error: String(error) }),
  );
});
process.on("disconnect", () => process.exit());
