import { userOf } from "../../../../users.ts";
import { writeReport } from "../../../../write-report.ts";
import { bus } from "../../../bus.ts";

export async function POST(request: Request): Promise<Response> {
  const { topic } = (await request.json()) as { topic: string };
  const user = userOf(request.headers.get("cookie"));
  if (user === undefined) return new Response(null, { status: 401 });
  const { sessionId } = bus.start(() => writeReport(topic), { owner: user });
  return Response.json({ sessionId }, { status: 202 });
}
