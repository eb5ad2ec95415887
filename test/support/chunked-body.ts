/** The body of a chunked response, without its frames. Throws where a frame is wrong or bytes follow the last one. */
export function unchunk(response: string): string {
  const frames = Buffer.from(response.slice(response.indexOf("\r\n\r\n") + 4));
  let body = "";
  let at = 0;
  let size: number;
  do {
    const start = frames.indexOf("\r\n", at) + 2;
    size = parseInt(frames.subarray(at, start).toString(), 16);
    const end = start + size;
    const delimiter = frames.subarray(end, end + 2).toString();
    if (delimiter !== "\r\n") throw new Error(`a chunk of ${size} bytes is followed by ${delimiter}`);
    body += frames.subarray(start, end).toString();
    at = end + 2;
  } while (size > 0);
  if (at !== frames.length) throw new Error(`after the last chunk: ${frames.subarray(at).toString()}`);
  return body;
}
