import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import * as index from "session-progress";
import * as express from "session-progress/express";
import * as fastify from "session-progress/fastify";
import * as fetch from "session-progress/fetch";
import * as hono from "session-progress/hono";
import * as node from "session-progress/node";
import * as sse from "session-progress/sse";
import * as testing from "session-progress/testing";
import * as websocket from "session-progress/websocket";
import tsconfig from "../../tsconfig.json" with { type: "json" };

const entries = { index, node, express, fastify, fetch, hono, websocket, sse, testing };

test("exports these names and no others: a new public name is a decision", () => {
  const names = Object.entries(entries).map(
    ([entry, module]) => `${entry}: ${Object.keys(module).sort().join(" ")}`,
  );
  expect(names).toMatchInlineSnapshot(`
    [
      "index: SessionProgressError bindReporter createEventBus createReporter createSessionId currentReporter isSessionProgressError reportProgress withAgent",
      "node: sseHandler",
      "express: sseHandler",
      "fastify: sseHandler",
      "fetch: sseHandler",
      "hono: sseHandler",
      "websocket: followOverWebSocket",
      "sse: encodeComment encodeEvent",
      "testing: checkProgress collect createRecorder recordSession",
    ]
  `);
});

test("has one entry for each subpath of package.json, and here", () => {
  const { exports } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  const subpaths = Object.keys(exports)
    .filter((subpath) => subpath !== "./package.json")
    .map((subpath) => (subpath === "." ? "index" : subpath.slice(2)));
  expect(Object.keys(entries).sort()).toEqual(subpaths.sort());
  const paths = Object.keys(tsconfig.compilerOptions.paths).map((path) => path.split("/")[1] ?? "index");
  expect(paths.sort()).toEqual(subpaths);
});
