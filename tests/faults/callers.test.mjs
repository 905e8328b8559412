// Callers who hang up at once and rudely (RST, of which the platform hears) in the midst of everything: with half a
// body sent, in line for a place, with a body that is kept in memory. The platform drops nothing of such a request,
// so that whatever it held would be gone for good; here others are served as before, round after round. And callers
// who announce more than they may say, or say what no header may hold.
import assert from "node:assert/strict";
import { connect } from "node:net";
import { after, before, test } from "node:test";

import { gif, noise } from "../e2e/pictures.mjs";
import { headersOf, startOpen, upload, withoutProxy } from "../load/traffic.mjs";
import { report, sleep } from "./trial.mjs";

const ROUNDS = Math.ceil(Number(process.env.FAULT_CYCLES ?? 8) / 4);
/** As many as work at once (edge/api/src/concurrency/slots.rs); together with those in line more than may be there. */
const AT_WORK = 32;
const IN_LINE = 80;
const READER = "reader-reader-reader-reader-reader";
/** How soon whoever need not be heard to the end is told so; the rest of a body is waited for some seconds. */
const REFUSED_MS = 10_000;
/** A second after they have gone everything is as before, but for a slow machine. */
const GRACE_MS = 20_000;

let server;
before(async () => {
  server = await withoutProxy(await startOpen({ METRICS_TOKEN: READER }));
});
after(() => server?.stop());

const sockets = [];
let callers = 0;
/** A caller who sends so much of an upload and waits; without a token when `isKnown` is false. */
function call({ isKnown = true, length, body = Buffer.alloc(0) }) {
  const address = (callers += 1);
  const { hostname, port, host } = new URL(server.url);
  const { Authorization, ...others } = headersOf(server, { user: `caller-${address}`, address, type: "image/gif", length });
  const framing = length === undefined ? { "Transfer-Encoding": "chunked" } : {};
  const headers = { Host: host, ...others, ...framing, ...(isKnown ? { Authorization } : {}) };
  const socket = connect(port, hostname);
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const caller = { socket, heard: "" };
  socket.on("data", (text) => (caller.heard += text));
  socket.on("error", () => {});
  socket.write(`POST /images HTTP/1.1\r\n${lines.join("")}\r\n`);
  socket.write(body);
  sockets.push(caller);
  return caller;
}

function hangUp() {
  const unanswered = sockets.filter(({ heard }) => heard === "").length;
  for (const { socket } of sockets.splice(0)) socket.resetAndDestroy();
  return unanswered;
}

async function usedBytes() {
  const answer = await fetch(`${server.url}/metrics`, { headers: { Authorization: `Bearer ${READER}` } });
  return Number(/^image_edge_memory_used_bytes (\d+)$/m.exec(await answer.text())[1]);
}

/** Until nothing is held any more; an upload is served meanwhile, too. */
async function recovered() {
  const began = performance.now();
  for (let at = 0; ; at += 1) {
    const [{ status, code }, bytes] = [await upload(server, { user: `other-${at % 8}`, body: noise(8, 8), type: "image/png" }), await usedBytes()];
    const ms = performance.now() - began;
    if (status === 201 && bytes === 0) return Math.round(ms);
    assert.ok(ms < GRACE_MS, `an upload alone: ${status} ${code}; ${bytes} bytes held`);
    await sleep(200);
  }
}

const chunk = (bytes) => Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from("\r\n")]);

test("who hangs up at work or in line leaves a free place", { timeout: 600_000 }, async (t) => {
  const counts = { rounds: ROUNDS, hungUp: 0, slowestMs: 0 };
  for (let round = 0; round < ROUNDS; round += 1) {
    for (let at = 0; at < AT_WORK; at += 1) call({ length: 60_000, body: gif(at).subarray(0, 6) });
    await sleep(1_000);
    for (let at = 0; at < IN_LINE; at += 1) call({ isKnown: false, length: 0 });
    await sleep(800);
    counts.hungUp += hangUp();
    counts.slowestMs = Math.max(counts.slowestMs, await recovered());
  }
  report(t, "hangup", counts);
  assert.equal(counts.hungUp, ROUNDS * (AT_WORK + IN_LINE), "all of them were at work or in line");
});

test("who hangs up leaves no memory of what they sent", { timeout: 600_000 }, async (t) => {
  const body = chunk(Buffer.concat([Buffer.from("GIF89a"), Buffer.alloc(900_000)]));
  for (let at = 0; at < AT_WORK - 4; at += 1) call({ body });
  await sleep(3_000);
  const heldBytes = await usedBytes();
  assert.ok(heldBytes > 10_000_000, `${heldBytes} bytes held by who sends`);
  hangUp();
  report(t, "hangup", { heldBytes, freedMs: await recovered() });
});

/** The status of what is sent as it is, and how long it took to come. */
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

test("a question that is announced as a megabyte is refused before it is there", async () => {
  const json = `Content-Type: application/json\r\nContent-Length: ${2 ** 20}\r\n`;
  const { status, ms } = await ask(`POST /auth/login HTTP/1.1\r\n${json}CF-Connecting-IP: 198.18.77.1\r\n\r\n{"email":`);
  assert.equal(status, 400);
  assert.ok(ms < REFUSED_MS, `${ms} ms`);
});

test("a header with what no header may hold is as good as none", async () => {
  assert.equal((await ask("GET /policy HTTP/1.1\r\nX-Odd: a\u0001b\r\n\r\n")).status, 200);
  const odd = "Authorization: Bearer a\u0001b\r\nContent-Length: 0\r\n";
  assert.equal((await ask(`POST /images HTTP/1.1\r\n${odd}\r\n`)).status, 401);
});
