// A proxy between the Worker and a real S3 server that injects faults by a script. Other requests pass unchanged with their
// Host header, so that signatures stay valid.
//
//   const proxy = await startProxy(s3.url);
//   proxy.script(["500", "lost-answer"]);            // the next two requests; all others pass
//   proxy.script(["cut"], { method: "GET" });         // the next GET; a new script replaces the old
//   proxy.seen                                        // [{ method, path, fault }]
//
// reset        the connection breaks before the request is read
// stall        the request is read and never answered
// cut          the response ends in the middle
// lost-answer  the server handles the request, and the connection breaks before the response
// slow         the request is forwarded after a second
// 500, 503, …  that status with an S3 error document; the request is not forwarded
import { createServer, request } from "node:http";

const SLOW_MS = 1_000;
const NAMES = { 403: "AccessDenied", 404: "NoSuchBucket", 500: "InternalError", 501: "NotImplemented", 503: "SlowDown" };

/** A proxy in front of `target`, an address such as http://127.0.0.1:9000. */
export async function startProxy(target) {
  let queue = [];
  let only;
  const seen = [];
  const server = createServer((incoming, outgoing) => {
    const applies = !only || only === incoming.method;
    const fault = (applies && queue.shift()) || "pass";
    seen.push({ method: incoming.method, path: incoming.url.split("?")[0], fault });
    serve(target, fault, incoming, outgoing).catch(() => incoming.socket.destroy());
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    seen,
    script(faults, { method } = {}) {
      queue = [...faults];
      only = method;
      seen.length = 0;
    },
    stop() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}

async function serve(target, fault, incoming, outgoing) {
  const { socket } = incoming;
  if (fault === "reset") return socket.resetAndDestroy();
  const body = await collect(incoming);
  if (fault === "stall") return;
  if (/^\d{3}$/.test(fault)) return reject(Number(fault), outgoing);
  if (fault === "slow") await new Promise((resolve) => setTimeout(resolve, SLOW_MS));
  const answer = await forward(target, incoming, body);
  if (fault === "lost-answer") return socket.destroy();
  if (fault === "cut") return cut(answer, socket);
  outgoing.writeHead(answer.statusCode, answer.headers);
  outgoing.end(answer.body);
}

async function collect(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function forward(target, { method, url, headers }, body) {
  return new Promise((resolve, reject) => {
    const outgoing = request(new URL(url, target), { method, headers, agent: false }, async (answer) => {
      const { statusCode, headers } = answer;
      resolve({ statusCode, headers, body: await collect(answer) });
    });
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}

function reject(status, outgoing) {
  const document = `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${NAMES[status] ?? "Fault"}</Code></Error>`;
  outgoing.writeHead(status, { "Content-Type": "application/xml", "Content-Length": document.length });
  outgoing.end(document);
}

/** Sends the head and half of the body; without a body, half of the head. */
function cut({ statusCode, headers, body }, socket) {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const head = Buffer.from(`HTTP/1.1 ${statusCode} OK\r\n${lines.join("")}\r\n`);
  const whole = Buffer.concat([head, body]);
  const sent = body.length > 0 ? head.length + (body.length >> 1) : head.length >> 1;
  socket.write(whole.subarray(0, sent), () => socket.destroy());
}
