// Requests as they go over the wire: header values that are any bytes, and a body in pieces of one's own choice.
import { Agent, request } from "node:http";

// A connection for each, so that no request waits behind another's pieces.
const agent = new Agent({ maxSockets: 16 });

/** A name as a header's value holds it: the bytes of its UTF-8, or bytes as they are. */
export const bytesAsText = (name) => Buffer.from(name).toString("latin1");

/** Pieces of so many bytes, or as long as a function says. */
export function* cut(body, size) {
  const next = typeof size === "function" ? size : () => size;
  for (let at = 0; at < body.length; ) {
    const end = at + next();
    yield body.subarray(at, end);
    at = end;
  }
}

/**
 * Sends it and reads the whole answer. With `pieces` each goes into the socket by itself, once the one before has; `isChunked`
 * frames each as a chunk instead of telling the length.
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
