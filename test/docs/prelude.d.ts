// What the documentation takes for granted in its fragments: the reader's own things.
import type { IncomingMessage } from "node:http";
import type { Express } from "express";
import type { FastifyInstance } from "fastify";
import type { Hono } from "hono";
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
  const wss: WebSocketServer;
  const sessionId: string;
  const eventsUrl: string;
  const token: string;
  function show(event: string, data: unknown): void;
  function answer(question: string, signal?: AbortSignal): Promise<{ text: string }>;
  function sessionIdOf(req: IncomingMessage): string;
}
