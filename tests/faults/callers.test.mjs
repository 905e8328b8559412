// Clients that disconnect with a TCP reset: after half a body, while queued for a slot, and with a body held in memory.
// Workers stops polling a disconnected request without dropping it, so a resource that the request holds could leak. After
// each round of resets other clients are served and no memory is reserved. Also requests with too large a Content-Length or
// with control characters in a header.
import assert from "node:assert/strict";
import { connect } from "node:net";
import { after, before, test } from "node:test";

import { gif, noise } from "../e2e/pictures.mjs";
import { headersOf, startOpen, upload, withoutProxy } from "../load/traffic.mjs";
import { report, sleep } from "./trial.mjs";

const ROUNDS = Math.ceil(Number(process.env.FAULT_CYCLES ?? 8) / 4);
/** The number of upload slots (edge/api/src/concurrency/slots.rs); together with QUEUED more than the isolate admits. */
const ACTIVE = 32;
const QUEUED = 80;
/** More than the first bytes of a body (FIRST_BYTES in memory.rs), without which a client has no slot for long, but not the whole body. */
const SENT_BYTES = 20_000;
const READER = "reader-reader-reader-reader-reader";
/** Upper bound of the time until a request is rejected by its headers; the server waits some seconds for the rest of a body. */
const REFUSED_MS = 10_000;
/** Upper bound of the recovery after the resets. It takes about a second; the rest is margin for a slow machine. */
const GRACE_MS = 20_000;

let server;
before(async () => {
  server = await withoutProxy(await startOpen({ METRICS_TOKEN: READER }));
});
after(() => server?.stop());

const sockets = [];
let callers = 0;
/** Sends the start of an upload and keeps the connection open; without a token when `isKnown` is false. */
function call({ isKnown = true, length, body = Buffer.alloc(0) }) {
  const address = (callers += 1);
  const { hostname, port, host } = new URL(server.url);
  const { Authorization, ...others } = headersOf(server, { user: `caller-${address}`, address, type: "image/gif", length });
  const framing = length === undefined ? { "Transfer-Encoding": "chunked" } : {};
  const headers = { Host: host, ...others, ...framing, ...(isKnown ? { Authorization } : {}) };
  const socket = connect(port, hostname);
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const caller = { socket, received: "" };
  socket.on("data", (text) => (caller.received += text));
  socket.on("error", () => {});
  socket.write(`POST /images HTTP/1.1\r\n${lines.join("")}\r\n`);
  socket.write(body);
  sockets.push(caller);
  return caller;
}

/** Resets all connections; returns how many had received nothing. */
function resetAll() {
  const unanswered = sockets.filter(({ received }) => received === "").length;
  for (const { socket } of sockets.splice(0)) socket.resetAndDestroy();
  return unanswered;
}

async function usedBytes() {
  const answer = await fetch(`${server.url}/metrics`, { headers: { Authorization: `Bearer ${READER}` } });
  return Number(/^image_edge_memory_used_bytes (\d+)$/m.exec(await answer.text())[1]);
}

/** Waits until no memory is reserved and another client's upload is stored; returns the milliseconds. */
async function recovered() {
  const began = performance.now();
  for (let at = 0; ; at += 1) {
    const [{ status, code }, bytes] = [await upload(server, { user: `other-${at % 8}`, body: noise(8, 8), type: "image/png" }), await usedBytes()];
    const ms = performance.now() - began;
    if (status === 201 && bytes === 0) return Math.round(ms);
    assert.ok(ms < GRACE_MS, `another client's upload: ${status} ${code}; ${bytes} bytes reserved`);
    await sleep(200);
  }
}

const chunk = (bytes) => Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from("\r\n")]);

test("clients that disconnect while active or queued release their slots", { timeout: 600_000 }, async (t) => {
  const counts = { rounds: ROUNDS, hungUp: 0, slowestMs: 0 };
  for (let round = 0; round < ROUNDS; round += 1) {
    for (let at = 0; at < ACTIVE; at += 1) call({ length: 60_000, body: Buffer.concat([gif(at).subarray(0, 6), Buffer.alloc(SENT_BYTES)]) });
    await sleep(1_000);
    for (let at = 0; at < QUEUED; at += 1) call({ isKnown: false, length: 0 });
    await sleep(800);
    counts.hungUp += resetAll();
    counts.slowestMs = Math.max(counts.slowestMs, await recovered());
  }
  report(t, "hangup", counts);
  assert.equal(counts.hungUp, ROUNDS * (ACTIVE + QUEUED), "all clients were active or queued");
});

test("clients that disconnect release the memory of their bodies", { timeout: 600_000 }, async (t) => {
  const body = chunk(Buffer.concat([Buffer.from("GIF89a"), Buffer.alloc(900_000)]));
  for (let at = 0; at < ACTIVE - 4; at += 1) call({ body });
  await sleep(3_000);
  const heldBytes = await usedBytes();
  assert.ok(heldBytes > 10_000_000, `${heldBytes} bytes reserved for unfinished bodies`);
  resetAll();
  report(t, "hangup", { heldBytes, freedMs: await recovered() });
});

/** Sends raw text; returns the status of the response and the time that it took. */
function ask(text) {
  const { hostname, port, host } = new URL(server.url);
  const socket = connect(port, hostname);
  const began = performance.now();
  socket.write(text.replace("\r\n", `\r\nHost: ${host}\r\n`));
  return new Promise((resolve, reject) => {
    socket.once("data", (answer) => resolve({ status: Number(/^HTTP\/1\.1 (\d+)/.exec(answer)[1]), ms: performance.now() - began, socket: socket.destroy() }));
    socket.once("error", reject);
    socket.setTimeout(REFUSED_MS, () => reject(new Error(`no answer after ${REFUSED_MS} ms`)));
  });
}

test("a JSON request with a Content-Length of 1 MB gets 400 before its body has arrived", async () => {
  const json = `Content-Type: application/json\r\nContent-Length: ${2 ** 20}\r\n`;
  const { status, ms } = await ask(`POST /auth/login HTTP/1.1\r\n${json}CF-Connecting-IP: 198.18.77.1\r\n\r\n{"email":`);
  assert.equal(status, 400);
  assert.ok(ms < REFUSED_MS, `${ms} ms`);
});

test("a header with a control character is ignored: 200 for X-Odd, 401 for Authorization", async () => {
  assert.equal((await ask("GET /policy HTTP/1.1\r\nX-Odd: a\u0001b\r\n\r\n")).status, 200);
  const odd = "Authorization: Bearer a\u0001b\r\nContent-Length: 0\r\n";
  assert.equal((await ask(`POST /images HTTP/1.1\r\n${odd}\r\n`)).status, 401);
});
