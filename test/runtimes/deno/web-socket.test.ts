import { Hono } from "hono";
import { upgradeWebSocket } from "hono/deno";
import { followOverWebSocket } from "session-progress/websocket";
import { testWebSocket } from "../../contracts/web-socket.ts";
import { serveDeno } from "./serve-deno.ts";

testWebSocket(
  "Deno",
  async (bus, options) => {
    const { url, close } = await serveDeno((request) => {
      const { socket, response } = Deno.upgradeWebSocket(request);
      const after = new URL(request.url).searchParams.get("after") ?? undefined;
      socket.addEventListener("open", () => followOverWebSocket(bus, "s", socket, { after, ...options }));
      return response;
    });
    return { origin: url.replace(/^http(.*)\/events$/, "ws$1"), close };
  },
  { pings: false },
);

testWebSocket(
  "Hono on Deno",
  async (bus, options) => {
    const app = new Hono();
    app.get(
      "/",
      // eslint-disable-next-line @typescript-eslint/no-deprecated -- it is what Hono 4 has
      upgradeWebSocket((c) => ({
        onOpen: (_event, socket) => {
          followOverWebSocket(bus, "s", socket, { after: c.req.query("after"), ...options });
        },
      })),
    );
    const { url, close } = await serveDeno(app.fetch);
    return { origin: url.replace(/^http(.*)\/events$/, "ws$1"), close };
  },
  { pings: false },
);
