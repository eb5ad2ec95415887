/** What a user of the library would write, once for the program. */
declare module "session-progress" {
  interface Register {
    data: { file: string; line?: number };
  }
}

export {};
