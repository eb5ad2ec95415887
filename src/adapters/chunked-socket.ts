import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";

/**
 * The socket of `res`, when whole chunks may go to it past the response: then all followers share one
 * buffer that is framed already, and Node does not write four pieces for each.
 *
 * Only an HTTP/1.1 response that sends chunks and holds nothing back. Never one whose `write` somebody has
 * wrapped (compression, instrumentation): it must see what is written. An optimisation that can be deleted.
 */
export function chunkedSocket(res: ServerResponse): Socket | undefined {
  const { socket } = res;
  const plain =
    socket !== null &&
    res.headersSent &&
    res.chunkedEncoding &&
    !Object.hasOwn(res, "write") &&
    res.writableLength === socket.writableLength;
  return plain ? socket : undefined;
}
