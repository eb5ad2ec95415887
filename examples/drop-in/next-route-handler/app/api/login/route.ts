import { logIn } from "../../../../users.ts";

export async function POST(request: Request): Promise<Response> {
  const { user } = (await request.json()) as { user: string };
  return new Response(null, { status: 204, headers: { "Set-Cookie": logIn(user) } });
}
