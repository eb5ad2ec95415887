type Framework = "node" | "fetch" | "hono" | "fastify" | "koa" | "h3" | "unknown";

const REMEDY: Record<Exclude<Framework, "unknown">, string> = {
  node: 'Node\'s `req` and `res`; import sseHandler from "session-progress/node" or "session-progress/express"',
  fetch: 'a fetch `Request`; import sseHandler from "session-progress/fetch"',
  hono: 'Hono\'s context; import sseHandler from "session-progress/hono"',
  fastify: 'Fastify\'s request and reply; import sseHandler from "session-progress/fastify"',
  h3: 'h3\'s event; pass `event.req` to the handler of "session-progress/fetch"',
  koa: 'Koa\'s context; set `ctx.respond = false` and call the handler of "session-progress/node" with `ctx.req, ctx.res`',
};

/**
 * Throws unless a handler was called by the framework it is for: one mounted in the wrong place should say
 * which import is right, not fail somewhere inside.
 *
 * @throws {TypeError} If `first` and `second` are what another framework passes.
 */
export function checkFramework(expected: keyof typeof NAMES, first: unknown, second?: unknown): void {
  const called = frameworkOf(first, second);
  if (called === expected) return;
  const got = called === "unknown" ? "something else" : REMEDY[called];
  throw new TypeError(`Expected to be called by ${NAMES[expected]}, got ${got}`);
}

const NAMES = { node: "Node or Express", fetch: "a fetch server", hono: "Hono", fastify: "Fastify" };

function frameworkOf(first: unknown, second: unknown): Framework {
  if (has(second, "writeHead", "setHeader")) return "node";
  if (has(second, "raw", "hijack")) return "fastify";
  if (has(first, "req", "res", "throw") || has(first, "req", "res", "app", "request")) return "koa";
  if (has(first, "req", "header") && has((first as { req: unknown }).req, "raw")) return "hono";
  if (has(first, "req", "url") && has((first as { req: unknown }).req, "headers", "url")) return "h3";
  if (has(first, "headers", "url") && has((first as { headers: unknown }).headers, "get")) return "fetch";
  return "unknown";
}

function has(value: unknown, ...names: string[]): boolean {
  return typeof value === "object" && value !== null && names.every((name) => name in value);
}
