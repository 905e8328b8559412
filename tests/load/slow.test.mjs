// Slow clients (slowloris): headers that do not end, bodies and forms of one byte a second. Other clients are served as
// before, each slow body gets 408 in time, and nothing of it is stored.
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { after, before, test } from "node:test";

import { gif } from "../e2e/pictures.mjs";
import { report } from "../faults/trial.mjs";
import { IS_LONG, headersOf, startOpen, tally, times, upload } from "./traffic.mjs";

const GOOD = 50;
const SLOW_CLIENTS = 10;
const BYTE_MS = 1_000;
/** A body may take 20 s and one second per 16 KB (edge/worker/src/request_body.rs). The short form announces fewer
 *  bytes, so that the test ends sooner. */
const ANNOUNCED_BYTES = IS_LONG ? 1_000_000 : 32_768;
const TIMEOUT_S = 20 + ANNOUNCED_BYTES / 16_384;
/** Margin for a busy machine and for workerd, which reports a closed connection late. */
const GRACE_S = 60;
/** Upper bound of the slowdown of other clients: a factor, and an absolute difference below which nothing is slower. */
const SLOWER = { times: 2, ms: 50 };

let server;
before(async () => {
  server = await startOpen();
});
after(() => server?.stop());

const BOUNDARY = "slow";
const PART = `--${BOUNDARY}\r\nContent-Disposition: form-data; name="image"; filename="a.gif"\r\nContent-Type: image/gif\r\n\r\n`;

function head(address, type, length) {
  const { host } = new URL(server.url);
  const headers = headersOf(server, { user: `slow-${address}`, address, type, length });
  const lines = Object.entries({ Host: host, ...headers, ...(length === undefined ? { "Transfer-Encoding": "chunked" } : {}) });
  return `POST /images HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join("")}`;
}

const KINDS = {
  /** A header line that never ends. */
  headers: (address) => ({ start: `${head(address, "image/gif", ANNOUNCED_BYTES)}X-Slow: `, byte: "a", endsBody: false }),
  body: (address) => ({ start: `${head(address, "image/gif", ANNOUNCED_BYTES)}\r\nGIF89a`, byte: "a", endsBody: true }),
  form: (address) => ({ start: `${head(address, `multipart/form-data; boundary=${BOUNDARY}`)}\r\n${PART.length.toString(16)}\r\n${PART}\r\n`, byte: "1\r\na\r\n", endsBody: true }),
};

/** Sends one byte a second until the connection is answered or closed; records the response and the time. */
async function sendSlowly(kind, address) {
  const { start, byte, endsBody } = KINDS[kind](address);
  const { hostname, port } = new URL(server.url);
  const socket = connect(port, hostname);
  const outcome = { kind, endsBody, received: "", endedS: null, socket };
  const began = performance.now();
  const ended = () => (outcome.endedS ??= (performance.now() - began) / 1000);
  socket.on("data", (text) => {
    outcome.received += text;
    ended();
  });
  socket.on("error", ended);
  socket.on("close", ended);
  await once(socket, "connect");
  socket.write(start);
  const timer = setInterval(() => (outcome.endedS === null ? socket.write(byte) : clearInterval(timer)), BYTE_MS);
  outcome.stop = () => {
    clearInterval(timer);
    socket.destroy();
  };
  return outcome;
}

let number = 0;
async function good() {
  const outcomes = [];
  for (let at = 0; at < GOOD; at += 1) {
    number += 1;
    outcomes.push(await upload(server, { user: `good-${at % 10}`, address: 100 + (at % 10), type: "image/gif", body: gif(number) }));
  }
  assert.deepEqual(tally(outcomes), { 201: GOOD });
  return times(outcomes.map(({ ms }) => ms));
}

test(`${SLOW_CLIENTS} slow clients of each kind get 408, do not delay other clients and leave nothing stored`, { timeout: 400_000 }, async (t) => {
  await good();
  const alone = await good();
  const slow = [];
  for (const kind of Object.keys(KINDS)) {
    for (let at = 0; at < SLOW_CLIENTS; at += 1) slow.push(await sendSlowly(kind, 1_000 + slow.length));
  }
  t.after(() => slow.forEach(({ stop }) => stop()));
  const beside = await good();
  const early = slow.filter(({ endedS }) => endedS !== null).length;

  const bodies = slow.filter(({ endsBody }) => endsBody);
  const deadline = performance.now() + (TIMEOUT_S + GRACE_S) * 1000;
  while (bodies.some(({ endedS }) => endedS === null) && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 200));
  const answers = slow.map(({ kind, received, endedS }) => ({
    kind,
    status: endedS === null ? "open" : (/^HTTP\/1\.1 (\d+)/.exec(received)?.[1] ?? "closed"),
    code: /"code":"(\w+)"/.exec(received)?.[1],
  }));
  slow.forEach(({ stop }) => stop());
  const after = await good();
  const endedS = Math.max(...bodies.map(({ endedS }) => endedS ?? Infinity));
  report(t, "slow", { aloneMs: alone, besideMs: beside, afterMs: after, endedS: Math.round(endedS), answers: tally(answers.map((answer) => ({ ...answer, status: `${answer.kind}: ${answer.status}` }))) });

  assert.equal(early, 0, "all slow clients were connected while the others were served");
  assert.ok(bodies.every(({ endedS }) => endedS !== null), "each slow body was answered or closed");
  const others = answers.filter(({ kind, status, code }) => kind !== "headers" && `${status} ${code}` !== "408 REQUEST_TIMEOUT");
  assert.deepEqual(others, [], "each slow body gets 408 REQUEST_TIMEOUT");
  const owners = new Set([...server.objects().keys(), ...server.rows().map(({ key }) => key)].map((key) => key.split("/")[1]));
  assert.deepEqual([...owners].filter((owner) => owner.startsWith("slow-")), [], "nothing of a slow client is stored");
  if (IS_LONG) assert.ok(beside.p50 <= Math.max(alone.p50 * SLOWER.times, alone.p50 + SLOWER.ms), `p50 ${alone.p50} ms became ${beside.p50} ms`);
});
