import assert from "node:assert/strict";
import type { SessionEvent } from "session-progress";

/**
 * What a browser does with each of these apps: log in, start a report, follow it. Fails unless the owner sees
 * all of it as it happens, and nobody else sees any.
 */
export async function checkApp(origin: string): Promise<void> {
  const alice = await logIn(origin, "alice");
  const mallory = await logIn(origin, "mallory");

  // A busy machine may have finished the report before it is followed; then there is nothing to see coming.
  let pieces = 0;
  for (let attempt = 1; attempt <= 5 && pieces < 2; attempt++)
    pieces = await startAndFollow(origin, alice, mallory);
  assert.ok(pieces > 1, "everything came at once: something holds events back");
}

/** Resolves with how many pieces the report's events came in. */
async function startAndFollow(origin: string, alice: string, mallory: string): Promise<number> {
  const started = await post(`${origin}/api/reports`, { topic: "tea" }, alice);
  assert.equal(started.status, 202);
  const { sessionId } = (await started.json()) as { sessionId: string };
  const url = `${origin}/api/events?session_id=${sessionId}`;

  for (const cookie of [mallory, ""]) {
    const refused = await fetch(url, { headers: { cookie } });
    assert.equal(refused.status, 403);
    assert.equal(refused.headers.get("content-type"), "application/problem+json");
    await refused.body?.cancel();
  }

  const response = await fetch(url, { headers: { cookie: alice, "accept-encoding": "gzip" } });
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("content-encoding"), null);
  let text = "";
  let pieces = 0;
  for await (const piece of response.body!.pipeThrough(new TextDecoderStream())) {
    text += piece;
    pieces += 1;
  }
  const events = [...text.matchAll(/^data: (.*)$/gm)].map(([, data]) => JSON.parse(data!) as SessionEvent);
  assert.deepEqual(
    events.slice(1).map((event) => ("msg" in event ? event.msg : event.t)),
    ["Reading about tea", "Writing about tea", "session_end"],
  );
  return pieces;
}

async function logIn(origin: string, user: string): Promise<string> {
  const response = await post(`${origin}/api/login`, { user });
  await response.body?.cancel();
  return response.headers.getSetCookie()[0]!.split(";")[0]!;
}

function post(url: string, body: object, cookie = ""): Promise<Response> {
  const headers = { "Content-Type": "application/json", cookie };
  return fetch(url, { method: "POST", headers, body: JSON.stringify(body) });
}
