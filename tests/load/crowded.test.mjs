// Small pictures beside large ones: how long a small upload takes while twelve photos of 12 MP are in work.
// An isolate has one thread, so a small one waits at least for the step that a large one is at.
import assert from "node:assert/strict";
import { Agent } from "node:http";
import { after, before, test } from "node:test";

import { drawn } from "../browser/pictures.mjs";
import { noise } from "../e2e/pictures.mjs";
import { report } from "../faults/trial.mjs";
import { IS_LONG, startOpen, tally, times, upload } from "./traffic.mjs";

const PHOTOS = 12;
const SMALL = 50;
const ROUNDS = IS_LONG ? 5 : 1;
/** Of small ones one after the other. A second is what somebody at a form begins to notice. */
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
const small = () => upload(server, { user: `small-${(sent += 1) % 10}`, address: 100 + (sent % 10), type: "image/png", body: noise(100, 100), agent });

/** One after the other until `isOver`. */
async function smalls(isOver) {
  const outcomes = [];
  while (!isOver(outcomes.length)) outcomes.push(await small());
  return outcomes;
}

const ms = (outcomes) => times(outcomes.map((outcome) => outcome.ms));

test(`small uploads beside ${PHOTOS} photos in work`, { timeout: 400_000 }, async (t) => {
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
  const told = { aloneMs: ms(alone), besideMs: ms(beside), photosMs: ms(photos), photos: tally(photos) };
  report(t, "crowded", told);
  assert.deepEqual(tally([...alone, ...beside]), { 201: alone.length + beside.length });
  // Of twelve at once on a slow machine the last may be told to come back.
  for (const { status, code, retryAfterS } of photos) assert.ok(status === 201 || (code === "BUSY" && retryAfterS > 0), `${status} ${code}`);
  assert.ok(photos.some(({ status }) => status === 201));
  if (IS_LONG) assert.ok(told.besideMs.p99 <= MOST_MS, `p99 ${told.besideMs.p99} ms`);
});

const CLIENTS = 8;
const PHOTOS_EACH = IS_LONG ? 12 : 3;

test(`${CLIENTS} clients that send photos one after the other wait equally long`, { timeout: 400_000 }, async (t) => {
  const photo = await drawn(4032, 3024, { grain: 12 }).jpeg({ quality: 85 }).toBuffer();
  const client = async (_, at) => {
    const outcomes = [];
    for (let sent = 0; sent < PHOTOS_EACH; sent += 1) {
      outcomes.push(await upload(server, { user: `client-${at}-${sent}`, address: 300 + at, type: "image/jpeg", body: photo, agent }));
    }
    return outcomes;
  };
  const outcomes = (await Promise.all(Array.from({ length: CLIENTS }, client))).flat();
  const told = { ms: ms(outcomes), outcomes: tally(outcomes) };
  report(t, "photos", told);
  // First come, first served: nobody waits for much longer than for one photo of each of the others.
  assert.ok(told.ms.max <= 4 * told.ms.p50, `median ${told.ms.p50} ms, longest ${told.ms.max} ms`);
  if (IS_LONG) assert.deepEqual(told.outcomes, { 201: outcomes.length });
});
