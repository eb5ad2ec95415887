/** Whether this is Bun. */
export const IS_BUN: boolean = "Bun" in globalThis;
