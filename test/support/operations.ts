import { Session } from "node:inspector";

/** What V8 counts of one function: how often it ran, and each of its blocks. */
interface FunctionCoverage {
  readonly ranges: readonly { readonly count: number }[];
}

interface Coverage {
  readonly result: readonly { readonly url: string; readonly functions: readonly FunctionCoverage[] }[];
}

/** Methods of the engine that walk over what they are called on, and call nothing back that could be counted. */
const WALKS: readonly [prototype: object, names: readonly string[]][] = [
  [
    Array.prototype,
    ["slice", "splice", "shift", "unshift", "concat", "indexOf", "includes", "join", "sort", "with"],
  ],
  [Array.prototype, ["lastIndexOf", "reverse", "toReversed", "toSorted", "toSpliced", "copyWithin", "fill"]],
];

/** Each step of these is counted: `for … of`, spreading, and copying take them. */
const ITERATORS: readonly object[] = [[], new Set(), new Map()].map(
  (iterable) => Object.getPrototypeOf(iterable[Symbol.iterator]()) as object,
);

/**
 * Counts what the library does, instead of how long it takes: how often each block of its source runs, and over how
 * many elements the engine walks for it. What only the engine's own tables do inside is not seen.
 */
export class OperationCounter {
  readonly #inspector = new Session();
  readonly #restore: (() => void)[] = [];
  #walked = 0;

  constructor() {
    this.#inspector.connect();
    this.#post("Profiler.enable");
    this.#post("Profiler.startPreciseCoverage", { callCount: true, detailed: true });
  }

  /** How many operations `fn` takes. Synchronous, so that nothing else runs in between. */
  count(fn: () => void): number {
    this.#take();
    this.#watch();
    try {
      fn();
    } finally {
      for (const restore of this.#restore.splice(0)) restore();
    }
    return this.#take() + this.#walked;
  }

  close(): void {
    this.#post("Profiler.stopPreciseCoverage");
    this.#inspector.disconnect();
  }

  /** What was counted since it was asked for last. */
  #take(): number {
    const { result } = this.#post("Profiler.takePreciseCoverage") as Coverage;
    let sum = 0;
    for (const { url, functions } of result) {
      if (!url.includes("/src/")) continue;
      for (const { ranges } of functions) for (const { count } of ranges) sum += count;
    }
    return sum;
  }

  #watch(): void {
    this.#walked = 0;
    for (const [prototype, names] of WALKS) {
      for (const name of names) {
        this.#replace(prototype, name, (original) => {
          const note = (length: number): void => void (this.#walked += length);
          return function (this: unknown[], ...args: unknown[]): unknown {
            note(this.length);
            return Reflect.apply(original, this, args);
          };
        });
      }
    }
    for (const iterator of ITERATORS) {
      this.#replace(iterator, "next", (original) => {
        const note = (): void => {
          this.#walked++;
        };
        return function (this: unknown): unknown {
          note();
          return Reflect.apply(original, this, []);
        };
      });
    }
  }

  #replace(holder: object, name: string, make: (original: (...args: never[]) => unknown) => unknown): void {
    const descriptor = Object.getOwnPropertyDescriptor(holder, name);
    if (descriptor === undefined) return;
    const original = descriptor.value as (...args: never[]) => unknown;
    Object.defineProperty(holder, name, { ...descriptor, value: make(original) });
    this.#restore.push(() => Object.defineProperty(holder, name, descriptor));
  }

  #post(method: string, params: object = {}): unknown {
    let answer: unknown;
    const failed: Error[] = [];
    // Answered at once: the session is this thread's own.
    this.#inspector.post(method, params, (error, result) => {
      if (error !== null) failed.push(error);
      answer = result;
    });
    if (failed[0] !== undefined) throw failed[0];
    return answer;
  }
}
