import { sseHandler } from "session-progress/fetch";
import { userOf } from "../../../../users.ts";
import { bus } from "../../../bus.ts";

export const dynamic = "force-dynamic";

export const GET = sseHandler(bus, {
  authorize: (request, _sessionId, owner) => userOf(request.headers.get("cookie")) === owner,
});
