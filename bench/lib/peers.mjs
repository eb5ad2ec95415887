import { baselineDist } from "./builds.mjs";
import { findNchan } from "./nginx.mjs";

const module = (name) => new URL(`../peers/${name}.mjs`, import.meta.url).href;

export const BARE = "bare TCP";
export const OURS = "ours, Node http";
export const PLAIN = "plain Node http";
/** Another build of this library, over Node http. */
export const BASELINE = "baseline";
export const NCHAN = "nginx with nchan";

/** Who is measured, by name. */
export const PEERS = {
  [BARE]: { module: module("bare-tcp") },
  [OURS]: { module: module("ours"), options: { over: "node" }, resumes: true },
  ...(baselineDist !== undefined && {
    [BASELINE]: { module: module("ours"), options: { over: "node", dist: baselineDist }, resumes: true },
  }),
  "ours, Express": { module: module("ours"), options: { over: "express" }, resumes: true },
  "ours, Hono": { module: module("ours"), options: { over: "hono" }, resumes: true },
  [PLAIN]: { module: module("node-http") },
  "by hand in Express": { module: module("by-hand") },
  "better-sse": { module: module("better-sse") },
  "hono streamSSE": { module: module("hono-stream") },
  "@fastify/sse": { module: module("fastify-sse") },
  ...(findNchan() !== undefined && { [NCHAN]: { module: module("nchan") } }),
};

/** Those of `names` that can be measured here. */
export function present(names) {
  return names.filter((name) => PEERS[name] !== undefined);
}

/** What a page says where nginx with nchan could not be measured. */
export function nchanNote() {
  return PEERS[NCHAN] === undefined ? `${NCHAN} is not installed here, so it is left out.` : undefined;
}
