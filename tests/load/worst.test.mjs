// The worst that callers may send, all at once and for as long as LOAD_SECONDS says: each accepted kind of picture at its largest,
// long animations and bombs, beside small uploads and readers. Everybody is answered with success, a refusal or 503; the isolate
// stays within its memory; the longest time in which it answered nobody is reported.
import assert from "node:assert/strict";
import { Agent, request } from "node:http";
import { after, before, test } from "node:test";

import { noise } from "../e2e/pictures.mjs";
import { chance, report, sleep } from "../faults/trial.mjs";
import { flatGif, flatPng } from "./animations.mjs";
import { bombs } from "./bombs.mjs";
import { largest } from "./largest.mjs";
import { IS_LONG, LOAD_SECONDS, MB, startOpen, tally, times, upload, wasmBytes, withoutProxy } from "./traffic.mjs";

const SECONDS = IS_LONG ? LOAD_SECONDS : 20;
/** An isolate has 128 MB; a quarter stays for JavaScript. */
const MOST_BYTES = 96 * MB;
/** At once, as many as may decode and as many again that wait for it. */
const LARGE_LANES = 4;
const SMALL_LANES = 2;
const READER_LANES = 2;
const PAUSE_MS = 50;
const SAMPLE_MS = 500;
/** What is on its way at the end is waited for. */
const REST_S = 120;

let server;
let agent;
before(async () => {
  // Bombs are strikes, and to be banned for them is not what is tried.
  server = await withoutProxy(await startOpen({ STRIKES_TO_BAN: 1000 }));
  agent = new Agent({ keepAlive: true });
});
after(async () => {
  agent?.destroy();
  await server?.stop();
});

/** Frames that cost far more than their bytes say. */
const animations = () => [
  { name: "GIF of 200 large frames", type: "image/gif", body: flatGif(2052, 1218, 200) },
  { name: "GIF of 200 frames, kept", type: "image/gif", body: flatGif(1200, 900, 200) },
  { name: "PNG of 40 large frames of 16 bits", type: "image/png", body: flatPng(1600, 1200, 40, { depth: 16 }) },
];

/** `{ status, ms }` of a GET whose body is read to its end. */
function read(path, address) {
  const began = performance.now();
  const headers = { "CF-Connecting-IP": `10.9.${(address >> 8) & 255}.${address & 255}` };
  return new Promise((resolve) => {
    const done = (outcome) => resolve({ ...outcome, ms: performance.now() - began });
    const failed = (error) => done({ status: 0, cause: error.code ?? error.message });
    const sending = request(server.url + path, { agent, headers }, (answer) => {
      answer.on("data", () => {}).on("end", () => done({ status: answer.statusCode })).on("error", failed);
    });
    sending.on("error", failed);
    sending.end();
  });
}

const isAnswered = ({ status }) => (status >= 200 && status < 500) || status === 503;

test(`${SECONDS} s of the worst that may be sent`, { timeout: (SECONDS + 600) * 1000 }, async (t) => {
  const random = chance(t);
  const large = [];
  for await (const kind of largest({ onlyWorst: !IS_LONG })) large.push(kind);
  large.push(...animations(), ...bombs());
  const ended = Date.now() + SECONDS * 1000;
  const isOver = () => Date.now() >= ended;
  const outcomes = { large: [], small: [], readers: [], healthz: [] };
  const [stored, memory] = [[], []];
  const slowest = {};
  let sent = 0;

  const larges = async () => {
    while (!isOver()) {
      const kind = large[Math.floor(random() * large.length)];
      const user = `worst-${(sent += 1) % 40}`;
      const outcome = await upload(server, { ...kind, user, address: sent % 200, agent });
      outcomes.large.push(outcome);
      slowest[kind.name] = Math.max(slowest[kind.name] ?? 0, Math.round(outcome.ms));
      if (outcome.data?.key) stored.push(outcome.data.key);
    }
  };
  const smalls = async () => {
    while (!isOver()) {
      const user = `small-${(sent += 1) % 20}`;
      const outcome = await upload(server, { user, address: 300 + (sent % 100), type: "image/png", body: noise(100, 100), agent });
      outcomes.small.push(outcome);
      if (outcome.data?.key) stored.push(outcome.data.key);
      await sleep(PAUSE_MS);
    }
  };
  const readers = async () => {
    while (!isOver()) {
      const key = stored[Math.floor(random() * stored.length)];
      const size = ["", "?v=thumb", "?v=small", "?v=medium"][Math.floor(random() * 4)];
      if (key) outcomes.readers.push(await read(`/${key}${size}`, (sent += 1)));
      await sleep(PAUSE_MS);
    }
  };
  const healthz = async () => {
    while (!isOver()) {
      outcomes.healthz.push(await read("/healthz", 1));
      await sleep(PAUSE_MS);
    }
  };
  const samples = async () => {
    while (!isOver()) {
      memory.push(await wasmBytes(server));
      await sleep(SAMPLE_MS);
    }
  };
  const lanes = [[LARGE_LANES, larges], [SMALL_LANES, smalls], [READER_LANES, readers], [1, healthz], [1, samples]];
  const all = Promise.all(lanes.flatMap(([count, lane]) => Array.from({ length: count }, lane)));
  // Aborted at the end, because a timer that is left would keep this process running.
  const answered = new AbortController();
  const late = sleep((SECONDS + REST_S) * 1000, undefined, { signal: answered.signal }).then(() => assert.fail("somebody got no answer"));
  await Promise.race([all, late]).finally(() => answered.abort());
  memory.push(await wasmBytes(server));

  const ms = (list) => times(list.map((outcome) => outcome.ms));
  const peakMb = Math.round((Math.max(...memory) / MB) * 10) / 10;
  const every = Object.values(outcomes).flat();
  report(t, "worst", {
    seconds: SECONDS, kinds: large.length, requests: every.length,
    outcomes: Object.fromEntries(Object.entries(outcomes).map(([name, list]) => [name, tally(list.map(({ status, code, cause }) => ({ status, code, cause })))])),
    peakMb, healthzMs: ms(outcomes.healthz), smallMs: ms(outcomes.small), readersMs: ms(outcomes.readers), stallMs: ms(outcomes.healthz).max, slowestMs: slowest,
  });
  assert.deepEqual(tally(every.filter((outcome) => !isAnswered(outcome))), {}, "neither success nor a refusal nor 503");
  assert.ok(outcomes.large.some(({ status }) => status === 201) && outcomes.small.some(({ status }) => status === 201), "something is stored");
  assert.ok(Math.max(...memory) <= MOST_BYTES, `${peakMb} MB`);
});
