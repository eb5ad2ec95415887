// A process in which `write` of Node's responses was wrapped before anything else was loaded, for
// watched-write.test.ts. Says how much the wrapper has seen, and how much a client has got.
import { createServer, get, OutgoingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

type Write = (this: ServerResponse, ...args: unknown[]) => boolean;

const kind = process.argv[2];
const prototype = OutgoingMessage.prototype as unknown as { write: Write };
const { write } = prototype;
let seen = "";

if (kind === "a proxy") {
  prototype.write = new Proxy(write, {
    apply(target, res: ServerResponse, args: unknown[]) {
      seen += String(args[0]);
      return Reflect.apply(target, res, args);
    },
  });
} else {
  prototype.write = function (...args) {
    seen += String(args[0]);
    return write.apply(this, args);
  };
}
if (kind === "a wrapper that hides itself") {
  const wrapper = prototype.write;
  const { toString } = Function.prototype;
  Function.prototype.toString = function (this: unknown) {
    return toString.call(this === wrapper ? write : this);
  };
}

const { createEventBus } = await import("session-progress");
const { sseHandler } = await import("session-progress/node");
const bus = createEventBus();
const server = createServer(sseHandler(bus)).listen(0, "127.0.0.1", () => {
  const { port } = server.address() as AddressInfo;
  get({ port, host: "127.0.0.1", path: "/?session_id=s", agent: false }, (response) => {
    let received = "";
    let turns = 0;
    response.setEncoding("utf8").on("data", (text: string) => {
      received += text;
      if (turns++ < 10) bus.publish("s", { message: `${turns}` });
      else bus.end("s");
    });
    response.on("end", () => {
      console.log(JSON.stringify({ blocks: received.split("\n\n").length, sawAll: seen === received }));
      server.close();
    });
  });
});
