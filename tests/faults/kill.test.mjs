// The server is killed at moments that chance chooses while pictures are on their way, and started again
// on what it left. Whatever it acknowledged is there; whatever it did not goes away.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { startServer } from "../e2e/server.mjs";
import { Journal, assertServed, chance, report, sleep } from "./trial.mjs";

const CYCLES = Number(process.env.FAULT_CYCLES ?? 3);
const UPLOADS = 16;
const OWNERS = ["anna", "bora", "chul", "dana", "eun", "guest-1", "guest-2", "guest-3"];
const SPREAD_MS = 400;
/** As short as it may be for a store that may take so long. */
const INTENT_S = 15;
const STORAGE_TIMEOUT_MS = 1_150;
/** Long enough that some are promised through several kills. */
const PENDING_S = CYCLES > 10 ? 60 : 30;
/** A registration that a kill cut off is taken back after a minute; removals come in steps of seconds. */
const SETTLED_S = 60 + INTENT_S + 30;

let server;
before(async () => {
  const open = { RATE_PER_MINUTE: 100_000, IP_PER_MINUTE: 100_000, DAILY_COUNT: 1_000_000 };
  server = await startServer({ vars: { ...open, INTENT_S, STORAGE_TIMEOUT_MS, PENDING_S } });
});
after(() => server?.stop());

/** Sends pictures one shortly after the other. */
function send(journal, random) {
  return Array.from({ length: UPLOADS }, async (_, at) => {
    await sleep(random() * SPREAD_MS);
    return journal.upload(server, OWNERS[at % OWNERS.length]);
  });
}

/** Sends pictures and claims, and kills when this time is over. */
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

/** Objects first: a row that is gone by then was leaving, and its object with it. */
function look() {
  const objects = server.objects();
  return { objects, rows: server.rows() };
}

/** Kills and starts again as often as it is told, each time at another part of the time that uploads take. */
async function killAndLook(journal, random) {
  const started = Date.now();
  let heard = await Promise.all(send(journal, random));
  let usualMs = Date.now() - started;
  for (let at = 0; at < CYCLES; at += 1) {
    // Every other picture that a guest has just sent is claimed meanwhile.
    const guests = heard.filter(({ owner }) => owner.startsWith("guest-"));
    const claimed = guests.filter((_, at) => at % 2 === 0);
    const sent = await cycle(journal, random, usualMs * ((at + random()) / CYCLES), claimed);
    journal.check(look());
    heard = sent.filter(({ acknowledged }) => acknowledged);
    await assertServed(server, heard);
    // A machine may be slower than thought, or faster.
    if (heard.length === 0) usualMs *= 1 + 1 / CYCLES;
    if (heard.length === UPLOADS) usualMs *= 1 - 1 / CYCLES;
  }
}

/** Whose claim was not answered claims again: it is theirs, or its time is over. */
async function claimAgain(journal) {
  const silent = journal.uploads.filter(({ claim }) => claim === "lost");
  for (const upload of silent) {
    await journal.claim(server, upload, "anna");
    const isOver = upload.claim === "IMAGE_NOT_FOUND" && Date.parse(upload.acknowledged.expiresAt) < Date.now() + 2_000;
    assert.ok(upload.keeper || isOver, `${upload.acknowledged.key}: ${upload.claim}`);
  }
  return silent;
}

/** Who heard nothing sends again, and once more when told to come back: a registration that a kill cut off
 *  holds the same bytes up for some seconds, and leases are short here. */
async function sendAgain(journal) {
  const silent = [...journal.unanswered];
  for (let round = 0; round < 6 && silent.some((upload) => !upload.acknowledged); round += 1) {
    const waiting = silent.filter((upload) => !upload.acknowledged);
    for (let at = 0; at < waiting.length; at += UPLOADS) {
      await Promise.all(waiting.slice(at, at + UPLOADS).map((upload) => journal.send(server, upload)));
    }
    const told = waiting.filter((upload) => !upload.acknowledged);
    assert.ok(told.every(({ code, retryAfterS }) => code === "BUSY" && retryAfterS > 0), "told to come back");
    if (told.length > 0) await sleep(10_000);
  }
  assert.deepEqual(silent.filter((upload) => !upload.acknowledged).map(({ code, status }) => code ?? status), []);
  return silent;
}

test(`${CYCLES} kills lose nothing that was acknowledged and leave nothing that was not`, { timeout: 1_500_000 }, async (t) => {
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
  assert.ok(counts.acknowledged > 0 && counts.sentAgain > 0, "kills came in the midst of it");
});
