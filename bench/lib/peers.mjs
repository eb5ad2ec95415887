const module = (name) => new URL(`../peers/${name}.mjs`, import.meta.url).href;

/** Who is measured, by name. */
export const PEERS = {
  "bare TCP": { module: module("bare-tcp") },
  "ours, Node http": { module: module("ours"), options: { over: "node" }, resumes: true },
  "ours, Express": { module: module("ours"), options: { over: "express" }, resumes: true },
  "ours, Hono": { module: module("ours"), options: { over: "hono" }, resumes: true },
  "plain Node http": { module: module("node-http") },
  "by hand in Express": { module: module("by-hand") },
  "better-sse": { module: module("better-sse") },
  "hono streamSSE": { module: module("hono-stream") },
  "@fastify/sse": { module: module("fastify-sse") },
};

export const BARE = "bare TCP";
export const OURS = "ours, Node http";
