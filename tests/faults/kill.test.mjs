// Kills the server at random times during uploads and restarts it on the same stores. Each acknowledged image is still
// served; what was not acknowledged is removed.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { startServer } from "../e2e/server.mjs";
import { Journal, assertServed, chance, report, sleep } from "./trial.mjs";

const CYCLES = Number(process.env.FAULT_CYCLES ?? 3);
const UPLOADS = 16;
const OWNERS = ["anna", "bora", "chul", "dana", "eun", "guest-1", "guest-2", "guest-3"];
const SPREAD_MS = 400;
/** The shortest intent lease that the configuration accepts for this storage timeout. */
const INTENT_S = 15;
const STORAGE_TIMEOUT_MS = 1_150;
/** Long enough that some guest images are still promised after several kills. */
const PENDING_S = CYCLES > 10 ? 60 : 30;
/** An interrupted registration is reverted after a minute; removals then take some seconds. */
const SETTLED_S = 60 + INTENT_S + 30;

let server;
before(async () => {
  const open = { RATE_PER_MINUTE: 100_000, IP_PER_MINUTE: 100_000, DAILY_COUNT: 1_000_000 };
  server = await startServer({ vars: { ...open, INTENT_S, STORAGE_TIMEOUT_MS, PENDING_S } });
});
after(() => server?.stop());

/** Sends images at random times within SPREAD_MS. */
function send(journal, random) {
  return Array.from({ length: UPLOADS }, async (_, at) => {
    await sleep(random() * SPREAD_MS);
    return journal.upload(server, OWNERS[at % OWNERS.length]);
  });
}

/** Sends images and claims, and kills the server after `killMs`. */
async function cycle(journal, random, killMs, claimed) {
  const sending = send(journal, random);
  const claiming = claimed.map(async (upload) => {
    await sleep(random() * SPREAD_MS);
    await journal.claim(server, upload, "anna");
  });
  const all = Promise.all([...sending, ...claiming]);
  await Promise.race([sleep(killMs), all]);
  await server.restart();
  await all;
  return Promise.all(sending);
}

/** Reads the objects before the rows, so that a removal in between never looks like a row without its object. */
function look() {
  const objects = server.objects();
  return { objects, rows: server.rows() };
}

/** Kills and restarts the server CYCLES times, each time at a later point of the usual duration of the uploads. */
async function killAndLook(journal, random) {
  const started = Date.now();
  let acknowledged = await Promise.all(send(journal, random));
  let usualMs = Date.now() - started;
  for (let at = 0; at < CYCLES; at += 1) {
    // Every second guest image of the last cycle is claimed during this one.
    const guests = acknowledged.filter(({ owner }) => owner.startsWith("guest-"));
    const claimed = guests.filter((_, at) => at % 2 === 0);
    const sent = await cycle(journal, random, usualMs * ((at + random()) / CYCLES), claimed);
    journal.check(look());
    acknowledged = sent.filter((upload) => upload.acknowledged);
    await assertServed(server, acknowledged);
    // Adapt to a machine that is slower or faster than estimated.
    if (acknowledged.length === 0) usualMs *= 1 + 1 / CYCLES;
    if (acknowledged.length === UPLOADS) usualMs *= 1 - 1 / CYCLES;
  }
}

/** Repeats claims whose response was lost: each succeeds, or the guest image has expired. */
async function claimAgain(journal) {
  const lost = journal.uploads.filter(({ claim }) => claim === "lost");
  for (const upload of lost) {
    await journal.claim(server, upload, "anna");
    const isExpired = upload.claim === "IMAGE_NOT_FOUND" && Date.parse(upload.acknowledged.expiresAt) < Date.now() + 2_000;
    assert.ok(upload.keeper || isExpired, `${upload.acknowledged.key}: ${upload.claim}`);
  }
  return lost;
}

/** Repeats uploads whose response was lost, and retries after BUSY: an interrupted registration blocks an upload of the
 *  same bytes for some seconds. */
async function sendAgain(journal) {
  const lost = [...journal.unanswered];
  for (let round = 0; round < 6 && lost.some((upload) => !upload.acknowledged); round += 1) {
    const waiting = lost.filter((upload) => !upload.acknowledged);
    for (let at = 0; at < waiting.length; at += UPLOADS) {
      await Promise.all(waiting.slice(at, at + UPLOADS).map((upload) => journal.send(server, upload)));
    }
    const rejected = waiting.filter((upload) => !upload.acknowledged);
    assert.ok(rejected.every(({ code, retryAfterS }) => code === "BUSY" && retryAfterS > 0), "rejections are BUSY with Retry-After");
    if (rejected.length > 0) await sleep(10_000);
  }
  assert.deepEqual(lost.filter((upload) => !upload.acknowledged).map(({ code, status }) => code ?? status), []);
  return lost;
}

test(`after ${CYCLES} kills each acknowledged image is served and nothing else is stored`, { timeout: 1_500_000 }, async (t) => {
  const journal = new Journal();
  const started = Date.now();
  await killAndLook(journal, chance(t));
  const counts = { cycles: CYCLES, uploads: journal.uploads.length, acknowledged: journal.acknowledged.length };
  counts.msPerCycle = Math.round((Date.now() - started) / CYCLES);

  const rows = server.rows();
  const isCommitted = ({ owner, name }) => rows.some((row) => row.owner === owner && row.original_name === name);
  counts.committedAnswerLost = journal.unanswered.filter(isCommitted).length;
  counts.claimed = journal.uploads.filter(({ keeper }) => keeper).length;
  counts.claimedAgain = (await claimAgain(journal)).length;
  const again = await sendAgain(journal);
  counts.sentAgain = again.length;
  counts.sameWhenSentAgain = again.filter(({ status }) => status === 200).length;
  const leaked = await journal.watchExpiry(look, PENDING_S + SETTLED_S);
  report(t, "kill", { ...counts, lost: journal.lost.size, leaked: leaked.length, ms: Date.now() - started });

  assert.deepEqual(leaked, [], "left behind");
  journal.assertSettled(look());
  await assertServed(server, journal.promised());
  assert.ok(counts.acknowledged > 0 && counts.sentAgain > 0, "some uploads were acknowledged and some interrupted");
});
