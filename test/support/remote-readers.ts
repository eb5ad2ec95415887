import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/** What one reader has seen. */
export interface Summary {
  /** Entries, without gaps. */
  received: number;
  missed: number;
  gaps: number;
  /** Of the last block. */
  position: number;
  lastEventId: string;
  /** The newest position seen of each `<agent> <phase>`. */
  newest: Record<string, number>;
  /** How the stream ended, once it has. */
  over?: "end" | "cut";
}

export type Call = { readonly call: number; readonly reader: number } & (
  | {
      readonly method: "open";
      readonly url: string;
      readonly headers: Readonly<Record<string, string>>;
      readonly stalled: boolean;
    }
  | { readonly method: "reached"; readonly position: number }
  | { readonly method: "pause" | "resume" | "close" }
);

type Answer = { readonly call: number } & (
  { readonly summary: Summary; readonly error?: undefined } | { readonly error: string }
);

// Distributes over the union, as `Omit` does not.
type Args = Call extends infer One ? (One extends Call ? Omit<One, "call" | "reader"> : never) : never;

export interface RemoteReader {
  pause(): Promise<Summary>;
  resume(): Promise<Summary>;
  close(): Promise<Summary>;
  /** Resolves when the position is reached, or the stream is over before that. */
  reached(position: number): Promise<Summary>;
}

/** Followers in a process of their own: what they hold does not count, and they read while the server works. */
export class RemoteReaders {
  readonly #child: ChildProcess;
  readonly #pending = new Map<number, (answer: Answer) => void>();
  #calls = 0;
  #readers = 0;

  static async start(): Promise<RemoteReaders> {
    const script = fileURLToPath(new URL("reader-process.ts", import.meta.url));
    const child = fork(script, { execArgv: ["--import", "tsx"] });
    await once(child, "spawn");
    return new RemoteReaders(child);
  }

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.on("message", (answer: Answer) => {
      this.#pending.get(answer.call)?.(answer);
      this.#pending.delete(answer.call);
    });
  }

  /** Resolves when the first words have come; a `stalled` reader stops reading then. */
  async open(
    url: string,
    { headers = {}, stalled = false }: { headers?: Record<string, string>; stalled?: boolean } = {},
  ): Promise<RemoteReader> {
    const reader = ++this.#readers;
    const ask = (args: Args): Promise<Summary> => this.#ask({ ...args, reader, call: ++this.#calls });
    await ask({ method: "open", url, headers, stalled });
    return {
      pause: () => ask({ method: "pause" }),
      resume: () => ask({ method: "resume" }),
      close: () => ask({ method: "close" }),
      reached: (position) => ask({ method: "reached", position }),
    };
  }

  async stop(): Promise<void> {
    const exited = once(this.#child, "exit");
    this.#child.disconnect();
    await exited;
  }

  #ask(call: Call): Promise<Summary> {
    return new Promise((resolve, reject) => {
      this.#pending.set(call.call, (answer) => {
        if (answer.error === undefined) resolve(answer.summary);
        else reject(new Error(answer.error));
      });
      this.#child.send(call);
    });
  }
}
