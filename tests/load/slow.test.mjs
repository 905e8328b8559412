// Clients that dribble: headers that do not end, bodies and forms of a byte a second. Others do not notice
// them, they are given up in time, and nothing of them is kept.
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { after, before, test } from "node:test";

import { gif } from "../e2e/pictures.mjs";
import { report } from "../faults/trial.mjs";
import { IS_LONG, headersOf, startOpen, tally, times, upload } from "./traffic.mjs";

const GOOD = 50;
const DRIBBLERS = 10;
const DRIBBLE_MS = 1_000;
/** A body may take 20 s and as long as 16 KB a second need (edge/worker/src/request_body.rs). The short form
 *  announces less, so that its end need not be waited for so long. */
const ANNOUNCED_BYTES = IS_LONG ? 1_000_000 : 32_768;
const GIVEN_UP_S = 20 + ANNOUNCED_BYTES / 16_384;
/** On a busy machine; workerd itself may take as long to hear of a connection's end. */
const GRACE_S = 60;
/** How much slower others may be beside them, and the least that is called slower. */
const SLOWER = { times: 2, ms: 50 };

let server;
before(async () => {
  server = await startOpen();
});
after(() => server?.stop());

const BOUNDARY = "dribbled";
const PART = `--${BOUNDARY}\r\nContent-Disposition: form-data; name="image"; filename="a.gif"\r\nContent-Type: image/gif\r\n\r\n`;

function head(address, type, length) {
  const { host } = new URL(server.url);
  const headers = headersOf(server, { user: `slow-${address}`, address, type, length });
  const lines = Object.entries({ Host: host, ...headers, ...(length === undefined ? { "Transfer-Encoding": "chunked" } : {}) });
  return `POST /images HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join("")}`;
}

const KINDS = {
  /** A line of headers that never ends. */
  headers: (address) => ({ start: `${head(address, "image/gif", ANNOUNCED_BYTES)}X-Slow: `, drop: "a", endsBody: false }),
  body: (address) => ({ start: `${head(address, "image/gif", ANNOUNCED_BYTES)}\r\nGIF89a`, drop: "a", endsBody: true }),
  form: (address) => ({ start: `${head(address, `multipart/form-data; boundary=${BOUNDARY}`)}\r\n${PART.length.toString(16)}\r\n${PART}\r\n`, drop: "1\r\na\r\n", endsBody: true }),
};

/** Sends a drop a second until it is answered or cut off: what it heard, and when. */
async function dribble(kind, address) {
  const { start, drop, endsBody } = KINDS[kind](address);
  const { hostname, port } = new URL(server.url);
  const socket = connect(port, hostname);
  const outcome = { kind, endsBody, heard: "", endedS: null, socket };
  const began = performance.now();
  const ended = () => (outcome.endedS ??= (performance.now() - began) / 1000);
  socket.on("data", (text) => {
    outcome.heard += text;
    ended();
  });
  socket.on("error", ended);
  socket.on("close", ended);
  await once(socket, "connect");
  socket.write(start);
  const timer = setInterval(() => (outcome.endedS === null ? socket.write(drop) : clearInterval(timer)), DRIBBLE_MS);
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

test(`${DRIBBLERS} clients of each kind that dribble stop nobody and leave nothing`, { timeout: 400_000 }, async (t) => {
  await good();
  const alone = await good();
  const slow = [];
  for (const kind of Object.keys(KINDS)) {
    for (let at = 0; at < DRIBBLERS; at += 1) slow.push(await dribble(kind, 1_000 + slow.length));
  }
  t.after(() => slow.forEach(({ stop }) => stop()));
  const beside = await good();
  const early = slow.filter(({ endedS }) => endedS !== null).length;

  const bodies = slow.filter(({ endsBody }) => endsBody);
  const deadline = performance.now() + (GIVEN_UP_S + GRACE_S) * 1000;
  while (bodies.some(({ endedS }) => endedS === null) && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 200));
  const answers = slow.map(({ kind, heard, endedS }) => ({
    kind,
    status: endedS === null ? "open" : (/^HTTP\/1\.1 (\d+)/.exec(heard)?.[1] ?? "closed"),
    code: /"code":"(\w+)"/.exec(heard)?.[1],
  }));
  slow.forEach(({ stop }) => stop());
  const after = await good();
  const endedS = Math.max(...bodies.map(({ endedS }) => endedS ?? Infinity));
  report(t, "slow", { aloneMs: alone, besideMs: beside, afterMs: after, endedS: Math.round(endedS), answers: tally(answers.map((answer) => ({ ...answer, status: `${answer.kind}: ${answer.status}` }))) });

  assert.equal(early, 0, "dribbling while the others were served");
  assert.ok(bodies.every(({ endedS }) => endedS !== null), "each dribbled body was given up");
  const untold = answers.filter(({ kind, status, code }) => kind !== "headers" && `${status} ${code}` !== "408 REQUEST_TIMEOUT");
  assert.deepEqual(untold, [], "and told why");
  const owners = new Set([...server.objects().keys(), ...server.rows().map(({ key }) => key)].map((key) => key.split("/")[1]));
  assert.deepEqual([...owners].filter((owner) => owner.startsWith("slow-")), [], "nothing of them is kept");
  if (IS_LONG) assert.ok(beside.p50 <= Math.max(alone.p50 * SLOWER.times, alone.p50 + SLOWER.ms), `p50 ${alone.p50} ms became ${beside.p50} ms`);
});
