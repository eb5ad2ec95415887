const { navigator } = globalThis as { navigator?: { userAgent?: string } };

/** Whether this is Bun. */
export const IS_BUN: boolean = "Bun" in globalThis;
/** Whether this is workerd, the runtime of Cloudflare Workers. */
export const IS_WORKERD: boolean = navigator?.userAgent === "Cloudflare-Workers";
