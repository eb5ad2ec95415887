// What the documentation takes for granted in its fragments: the reader's own things.
import type { SecureContextOptions } from "node:tls";
import type { IncomingMessage } from "node:http";
import type { Express, Request } from "express";
import type { FastifyInstance } from "fastify";
import type { H3 } from "h3";
import type { Hono } from "hono";
import type Koa from "koa";
import type { SessionEventBus } from "session-progress";
import type { WebSocketServer } from "ws";

declare module "express-serve-static-core" {
  interface Request {
    user?: { id: string };
  }
}

declare global {
  const app: Express;
  const bus: SessionEventBus;
  const hono: Hono;
  const fastify: FastifyInstance;
  const koa: Koa;
  const h3: H3;
  const wss: WebSocketServer;
  const key: SecureContextOptions["key"];
  const cert: SecureContextOptions["cert"];
  const sessionId: string;
  function answer(question: string, signal?: AbortSignal): Promise<{ text: string }>;
  function log(...what: unknown[]): void;
  function userOf(req: Request): string | undefined;
  function sessionIdOf(req: IncomingMessage): string;
}
