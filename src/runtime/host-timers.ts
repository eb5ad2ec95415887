type Timer = (fn: () => void, ms?: number) => unknown;
type Clear = (timer: unknown) => void;

/** Timers as this package uses them: what they return is only handed back. */
export interface HostTimers {
  readonly setTimeout: Timer;
  readonly clearTimeout: Clear;
  readonly setInterval: Timer;
  readonly clearInterval: Clear;
  /** Missing in browsers, and in Jest's jsdom. */
  readonly setImmediate?: Timer | undefined;
}

type Host = HostTimers & { readonly performance: Performance };

const host = globalThis as unknown as Host;
const NAMES = ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "setImmediate"] as const;

/**
 * The runtime's own timers, also where a test's setup has put fake ones in their place before this package loads.
 *
 * They are the globals; else Node's module, which Jest's fake timers leave alone; else what `@sinonjs/fake-timers` (in
 * Vitest and Sinon) keeps, to put it back; else those of an abort signal and a message channel, which nobody fakes.
 */
export function hostTimers(): HostTimers {
  return [host, builtin("node:timers"), replacedTimers()].find(areOwn) ?? SUBSTITUTES;
}

/** The runtime's own clock, likewise. */
export function hostPerformance(): Performance {
  const { performance } = host;
  return (isFake(performance) ? builtin("node:perf_hooks")?.performance : undefined) ?? performance;
}

function builtin(id: string): Host | undefined {
  const { process } = globalThis as { process?: { getBuiltinModule?(id: string): Host } };
  return process?.getBuiltinModule?.(id);
}

/** Fake timers say by which clock they go, or have another name. */
function areOwn(timers: HostTimers | undefined): boolean {
  return NAMES.every((name) => {
    const timer = timers?.[name];
    return timer === undefined ? name === "setImmediate" : timer.name === name && !isFake(timer);
  });
}

function isFake(value: object | undefined): value is { clock: Record<string, unknown> } {
  return value !== undefined && "clock" in value;
}

function replacedTimers(): HostTimers {
  const timers = NAMES.map((name) => {
    const timer = host[name];
    return [name, isFake(timer) ? timer.clock[`_${name}`] : timer] as const;
  });
  return Object.fromEntries(timers) as unknown as HostTimers;
}

/** Those of Node's own test runner leave nothing else. They keep no process alive. */
const SUBSTITUTES: HostTimers = {
  setTimeout: (fn, ms = 0) => {
    const signal = AbortSignal.timeout(ms);
    signal.addEventListener("abort", fn);
    return () => {
      signal.removeEventListener("abort", fn);
    };
  },
  clearTimeout: call,
  setInterval: (fn, ms) => {
    let cancel: unknown;
    const next = (): void => {
      cancel = SUBSTITUTES.setTimeout(() => {
        next();
        fn();
      }, ms);
    };
    next();
    return () => {
      call(cancel);
    };
  },
  clearInterval: call,
  setImmediate: (fn) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      fn();
    };
    port2.postMessage(0);
  },
};

function call(cancel: unknown): void {
  (cancel as () => void)();
}
