// Latency of small uploads while twelve photos of 12 MP are processed. An isolate has one thread, so a small upload waits at
// least until the current step of a large one ends.
import assert from "node:assert/strict";
import { Agent } from "node:http";
import { after, before, test } from "node:test";

import { drawn } from "../browser/pictures.mjs";
import { noise } from "../e2e/pictures.mjs";
import { report, sleep } from "../faults/trial.mjs";
import { IS_LONG, closedLoop, openLoop, startOpen, tally, times, upload } from "./traffic.mjs";

const PHOTOS = 12;
const SMALL = 50;
const ROUNDS = IS_LONG ? 5 : 1;
/** Upper bound of the p99 of small uploads sent in sequence. A user of a form notices a delay of one second. */
const MOST_MS = 1_000;

let server;
let agent;
before(async () => {
  server = await startOpen();
  agent = new Agent({ keepAlive: true });
});
after(async () => {
  agent?.destroy();
  await server?.stop();
});

let sent = 0;
const small = (through = agent) => upload(server, { user: `small-${(sent += 1) % 10}`, address: 100 + (sent % 10), type: "image/png", body: noise(100, 100), agent: through });

/** Sends small images in sequence until `isOver` returns true. */
async function smalls(isOver) {
  const outcomes = [];
  while (!isOver(outcomes.length)) outcomes.push(await small());
  return outcomes;
}

const ms = (outcomes) => times(outcomes.map((outcome) => outcome.ms));

test(`small uploads are stored without long waits while ${PHOTOS} photos are processed`, { timeout: 400_000 }, async (t) => {
  const photo = await drawn(4032, 3024, { grain: 12 }).jpeg({ quality: 85 }).toBuffer();
  await smalls((count) => count >= SMALL);
  const alone = await smalls((count) => count >= SMALL);
  const [beside, photos] = [[], []];
  for (let round = 0; round < ROUNDS; round += 1) {
    let left = PHOTOS;
    const working = Array.from({ length: PHOTOS }, async (_, at) => {
      const outcome = await upload(server, { user: `photo-${round}-${at}`, address: 200 + at, type: "image/jpeg", body: photo });
      left -= 1;
      return outcome;
    });
    beside.push(...(await smalls(() => left === 0)));
    photos.push(...(await Promise.all(working)));
  }
  const results = { aloneMs: ms(alone), besideMs: ms(beside), photosMs: ms(photos), photos: tally(photos) };
  report(t, "crowded", results);
  assert.deepEqual(tally([...alone, ...beside]), { 201: alone.length + beside.length });
  // On a slow machine the last of the twelve photos may get BUSY.
  for (const { status, code, retryAfterS } of photos) assert.ok(status === 201 || (code === "BUSY" && retryAfterS > 0), `${status} ${code}`);
  assert.ok(photos.some(({ status }) => status === 201));
  if (IS_LONG) assert.ok(results.besideMs.p99 <= MOST_MS, `p99 ${results.besideMs.p99} ms`);
});

const CLIENTS = 8;
const PHOTOS_EACH = IS_LONG ? 12 : 3;

test(`${CLIENTS} clients that send photos in sequence wait about equally long`, { timeout: 400_000 }, async (t) => {
  const photo = await drawn(4032, 3024, { grain: 12 }).jpeg({ quality: 85 }).toBuffer();
  const client = async (_, at) => {
    const outcomes = [];
    for (let sent = 0; sent < PHOTOS_EACH; sent += 1) {
      outcomes.push(await upload(server, { user: `client-${at}-${sent}`, address: 300 + at, type: "image/jpeg", body: photo, agent }));
    }
    return outcomes;
  };
  const outcomes = (await Promise.all(Array.from({ length: CLIENTS }, client))).flat();
  const results = { ms: ms(outcomes), outcomes: tally(outcomes) };
  report(t, "photos", results);
  // The queue is first come, first served: a client waits for about one photo of each other client.
  assert.ok(results.ms.max <= 4 * results.ms.p50, `median ${results.ms.p50} ms, longest ${results.ms.max} ms`);
  if (IS_LONG) assert.deepEqual(results.outcomes, { 201: outcomes.length });
});

const STEADY_S = IS_LONG ? 60 : 10;
const PHOTO_EVERY_MS = 1_000;
/** Of the p99 beside photos and the p99 alone, at the same rate. */
const MOST_TIMES = 3;

test("small uploads at half of their highest rate wait little longer beside one photo a second", { timeout: 400_000 }, async (t) => {
  const photo = await drawn(4032, 3024, { grain: 12 }).jpeg({ quality: 85 }).toBuffer();
  await smalls((count) => count >= SMALL);
  const { perSecond } = await closedLoop(small, { clients: CLIENTS, seconds: STEADY_S / 2 });
  const rate = { perSecond: perSecond / 2, seconds: STEADY_S };
  const alone = await openLoop(small, rate);
  let isOver = false;
  const sendPhotos = async () => {
    const sending = [];
    while (!isOver) {
      sending.push(upload(server, { user: `steady-${sending.length}`, address: 400, type: "image/jpeg", body: photo, agent }));
      await sleep(PHOTO_EVERY_MS);
    }
    return Promise.all(sending);
  };
  const sendingPhotos = sendPhotos();
  const beside = await openLoop(small, rate);
  isOver = true;
  const photos = await sendingPhotos;
  const results = { perSecond: Math.round(rate.perSecond * 10) / 10, aloneMs: ms(alone.outcomes), besideMs: ms(beside.outcomes), photosMs: ms(photos) };
  report(t, "steady", results);
  assert.deepEqual(tally([...alone.outcomes, ...beside.outcomes, ...photos]), { 201: alone.outcomes.length + beside.outcomes.length + photos.length });
  if (IS_LONG) assert.ok(results.besideMs.p99 <= MOST_TIMES * results.aloneMs.p99, `p99 ${results.aloneMs.p99} ms became ${results.besideMs.p99} ms`);
});
