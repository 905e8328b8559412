// A registry that cannot be written, because another process holds the lock of its file. Uploads are rejected or delayed,
// only registered images are acknowledged, and nothing is left behind.
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { after, before, test } from "node:test";

import { startServer } from "../e2e/server.mjs";
import { Journal, assertServed, report, sleep } from "./trial.mjs";

/** The shortest intent lease that the configuration accepts for this storage timeout. */
const INTENT_S = 15;
const STORAGE_TIMEOUT_MS = 1_150;
const PENDING_S = 10;
/** A write to the registry has a timeout of 5 s, and two when the same image is already being uploaded; the rest is margin. */
const BOUND_MS = 2 * 5_000 + 4_000;
/** A row may be written up to a minute after its request. */
const SETTLED_S = 60 + INTENT_S + 30;

let server;
before(async () => {
  const open = { RATE_PER_MINUTE: 100_000, IP_PER_MINUTE: 100_000 };
  server = await startServer({ vars: { ...open, INTENT_S, STORAGE_TIMEOUT_MS, PENDING_S } });
});
after(() => server?.stop());

function look() {
  const objects = server.objects();
  return { objects, rows: server.rows() };
}

const send = (journal, owners) => Promise.all(owners.map((owner) => journal.upload(server, owner)));

test("while the registry is locked users get 503 BUSY, guests are stored, and uploads succeed after the lock is released", { timeout: 240_000 }, async (t) => {
  const journal = new Journal();
  const owners = ["anna", "anna", "bora", "bora", "chul", "guest-1"];
  const started = Date.now();
  await send(journal, owners);
  assert.equal(journal.acknowledged.length, owners.length);

  const other = new DatabaseSync(server.registryFile());
  other.exec("BEGIN IMMEDIATE");
  const during = await send(journal, owners);
  // The same images again, while the first requests may still be active.
  await Promise.all(during.map((upload) => journal.send(server, upload)));
  const rowsDuring = server.rows().length;
  other.exec("ROLLBACK");
  other.close();

  const refused = during.filter(({ acknowledged }) => !acknowledged);
  assert.equal(rowsDuring, 5, "nothing could be registered");
  assert.deepEqual(refused.map(({ owner }) => owner), owners.slice(0, 5), "only guests need no row");
  for (const { status, code, retryAfterS, tookMs } of during.slice(0, 5)) {
    assert.deepEqual([status, code], [503, "BUSY"]);
    assert.ok(retryAfterS > 0);
    assert.ok(tookMs < BOUND_MS, `${tookMs} ms`);
  }
  journal.check(look());

  await sleep(refused[0].retryAfterS * 1000);
  await Promise.all(refused.map((upload) => journal.send(server, upload)));
  assert.deepEqual(refused.map(({ status }) => status), refused.map(() => 201), "a retry after Retry-After is stored");
  const leaked = await journal.watchExpiry(look, SETTLED_S);
  report(t, "registry", { uploads: journal.uploads.length, refused: refused.length, lost: journal.lost.size, leaked: leaked.length, ms: Date.now() - started });
  assert.deepEqual(leaked, [], "left behind");
  journal.assertSettled(look());
  await assertServed(server, journal.promised());
});
