// Raw HTTP requests: header values with arbitrary bytes, and a body in chosen chunks.
import { Agent, request } from "node:http";

// A connection for each request, so that none waits for the chunks of another.
const agent = new Agent({ maxSockets: 16 });

/** A header value with the bytes of `name`, which is a string (sent as UTF-8) or a buffer. */
export const bytesAsText = (name) => Buffer.from(name).toString("latin1");

/** Splits a body into pieces of `size` bytes, or of the sizes that a function returns. */
export function* cut(body, size) {
  const next = typeof size === "function" ? size : () => size;
  for (let at = 0; at < body.length; ) {
    const end = at + next();
    yield body.subarray(at, end);
    at = end;
  }
}

/**
 * Sends a request and reads the whole response. `pieces` are written to the socket one after the other; `isChunked` sends each
 * as a chunk of the transfer encoding instead of a Content-Length.
 */
export function send(url, { method = "POST", headers = {}, body = Buffer.alloc(0), pieces, isChunked = false } = {}) {
  return new Promise((resolve, reject) => {
    const length = isChunked || method === "GET" || method === "HEAD" ? {} : { "Content-Length": body.length };
    const asking = request(url, { method, agent, headers: { ...length, ...headers } }, (answer) => {
      answer.toArray().then((chunks) => {
        const bytes = Buffer.concat(chunks);
        const json = () => JSON.parse(bytes.toString());
        resolve({ status: answer.statusCode, headers: answer.headers, bytes, json });
      }, reject);
    });
    asking.once("error", reject);
    asking.setNoDelay(true);
    write(asking, pieces ?? [body]).then(() => asking.end(), reject);
  });
}

async function write(asking, pieces) {
  for (const piece of pieces) {
    if (asking.destroyed) return;
    await new Promise((resolve, reject) => asking.write(piece, (error) => (error ? reject(error) : resolve())));
  }
}
