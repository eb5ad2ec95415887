import { type Agent, request as httpRequest } from "node:http";
import type { Readable } from "node:stream";
import { StringDecoder } from "node:string_decoder";
import { createParser } from "eventsource-parser";

export interface ClientRequest {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  /** HTTP/1.1: whose connections are used. Default: one of its own. */
  readonly agent?: Agent;
}

export interface ClientResponse {
  readonly status: number;
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** The body as it arrives; destroying it closes the connection. */
  readonly body: Readable;
}

/** How requests travel. Rejects when there is no response. */
export type ClientTransport = (url: string, request: ClientRequest) => Promise<ClientResponse>;

/** HTTP/1.1, each request on a connection of its own. */
export const overHttp1: ClientTransport = (url, { method = "GET", headers, signal, agent = false }) =>
  new Promise((resolve, reject) => {
    const request = httpRequest(url, {
      method,
      agent,
      headers: { connection: "keep-alive", ...headers },
      ...(signal && { signal }),
    });
    request.on("response", (response) => {
      resolve({ status: response.statusCode ?? 0, headers: response.headers, body: response });
    });
    request.on("error", reject);
    request.end();
  });

/** One block of an event stream, as it came and as an independent parser reads it. */
export interface Block {
  /** Its bytes, including the empty line that ends it. */
  readonly raw: string;
  readonly id?: string | undefined;
  readonly event?: string | undefined;
  readonly data?: string | undefined;
  readonly comment?: string | undefined;
  readonly retry?: number | undefined;
}

/** Collects what a response brings and hands it out block by block. */
export class EventStreamClient {
  readonly status: number;
  readonly headers: ClientResponse["headers"];
  /** Everything received so far. */
  text = "";
  /** The same, cut as it came from the transport. */
  readonly chunks: string[] = [];
  /** `end` after an orderly end, `cut` when the connection went first. */
  readonly over: Promise<"end" | "cut">;
  readonly #body: Readable;
  readonly #blocks: Block[] = [];
  #rest = "";
  #isOver = false;
  #wake: () => void = () => {};

  static async open(
    url: string,
    request: ClientRequest = {},
    transport: ClientTransport = overHttp1,
  ): Promise<EventStreamClient> {
    return new EventStreamClient(await transport(url, request));
  }

  constructor({ status, headers, body }: ClientResponse) {
    this.status = status;
    this.headers = headers;
    this.#body = body;
    const decoder = new StringDecoder("utf8");
    body.on("data", (chunk: Buffer) => this.#receive(decoder.write(chunk)));
    body.on("error", () => {});
    this.over = new Promise((resolve) => {
      body.on("close", () => {
        this.#isOver = true;
        this.#wake();
        resolve(body.readableEnded ? "end" : "cut");
      });
    });
  }

  /** The next block, waiting for it; rejects when the stream is over before there is one. */
  async next(): Promise<Block> {
    for (;;) {
      const block = this.#blocks.shift();
      if (block !== undefined) return block;
      if (this.#isOver) throw new Error(`the stream was over after:\n${this.text.slice(-1_000)}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async take(count: number): Promise<Block[]> {
    const blocks: Block[] = [];
    while (blocks.length < count) blocks.push(await this.next());
    return blocks;
  }

  /** Blocks up to and including the first that `wanted` picks, by event name or by itself. */
  async until(wanted: string | ((block: Block) => boolean)): Promise<Block[]> {
    const isWanted = typeof wanted === "string" ? (block: Block) => block.event === wanted : wanted;
    const blocks: Block[] = [];
    do blocks.push(await this.next());
    while (!isWanted(blocks.at(-1)!));
    return blocks;
  }

  /** What is left until the stream is over. */
  async rest(): Promise<Block[]> {
    await this.over;
    return this.#blocks.splice(0);
  }

  /** Stops reading: buffers fill up, and then the server notices. */
  pause(): void {
    this.#body.pause();
  }

  resume(): void {
    this.#body.resume();
  }

  close(): void {
    this.#body.destroy();
  }

  #receive(text: string): void {
    this.text += text;
    this.chunks.push(text);
    this.#rest += text;
    let from = 0;
    for (let at = this.#rest.indexOf("\n\n"); at !== -1; at = this.#rest.indexOf("\n\n", from)) {
      this.#blocks.push(parseBlock(this.#rest.slice(from, at + 2)));
      from = at + 2;
    }
    this.#rest = this.#rest.slice(from);
    this.#wake();
  }
}

function parseBlock(raw: string): Block {
  const block: { -readonly [K in keyof Block]: Block[K] } = { raw };
  const parser = createParser({
    onEvent: (message) => Object.assign(block, message),
    onComment: (comment) => {
      block.comment = comment;
    },
    onRetry: (retry) => {
      block.retry = retry;
    },
  });
  parser.feed(raw);
  return block;
}

/** What a block's `data` says. */
export function dataOf(block: Block | undefined): Record<string, unknown> {
  return JSON.parse(block?.data ?? "null") as Record<string, unknown>;
}

/** Only what the application sees: no comments, no `retry`, no `ready`. */
export function eventsIn(blocks: readonly Block[]): Record<string, unknown>[] {
  return blocks.filter(({ event }) => event !== undefined && event !== "ready").map(dataOf);
}

/** `received + missed`: how far a follower got, by what it was told. */
export function accounted(blocks: readonly Block[]): number {
  let sum = 0;
  for (const event of eventsIn(blocks)) {
    if (event["t"] !== "gap" || event["reason"] === "dropped") sum += 1;
    else sum += Number(event["missed"] ?? 0);
  }
  return sum;
}
