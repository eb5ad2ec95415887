// Stands for however your app knows its users.
const users = new Map<string, string>();

/** The value of a `Set-Cookie` header. */
export function logIn(user: string): string {
  const token = crypto.randomUUID();
  users.set(token, user);
  return `token=${token}; HttpOnly; SameSite=Lax; Path=/`;
}

export function userOf(cookies: string | null | undefined): string | undefined {
  return users.get(/(?:^|; )token=([^;]+)/.exec(cookies ?? "")?.[1] ?? "");
}
