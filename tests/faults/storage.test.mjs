// An S3 store that fails, stalls, truncates, delays or loses responses at random. Each acknowledged image is stored, each
// rejection has Retry-After and arrives in time, and nothing is left behind.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { startS3 } from "../e2e/s3.mjs";
import { startServer } from "../e2e/server.mjs";
import { Journal, assertServed, chance, report, until } from "./trial.mjs";
import { startProxy } from "./s3_proxy.mjs";

const CALLS = Number(process.env.FAULT_CALLS ?? 200);
const LANES = 6;
const OWNERS = ["anna", "bora", "chul", "guest-1", "guest-2"];
const FAULTS = ["reset", "stall", "cut", "lost-answer", "slow", "500", "503"];
const TIMEOUT_MS = 400;
/** A write that timed out may still arrive a second later (`slow`); cleanup waits for a fifth of the lease. */
const INTENT_S = 15;
const PENDING_S = 8;
/** A write and the removal of its duplicate, each two and a half attempts long; the rest is margin. */
const BOUND_MS = 2 * 2.5 * TIMEOUT_MS + 4_000;

let s3, proxy, server;
before(async () => {
  s3 = await startS3();
  proxy = await startProxy(s3.url);
  const open = { RATE_PER_MINUTE: 100_000, IP_PER_MINUTE: 100_000, DAILY_COUNT: 1_000_000 };
  const vars = { ...open, ...s3.vars(proxy.url), STORAGE_TIMEOUT_MS: TIMEOUT_MS, INTENT_S, PENDING_S };
  server = await startServer({ vars });
});
after(() => Promise.all([server?.stop(), proxy?.stop(), s3?.stop()]));

/** Reads the objects before the rows, so that a removal in between never looks like a row without its object. */
function look() {
  const objects = s3.objects();
  return { objects, rows: server.rows() };
}

/** More than half of the calls pass; some faults are single, some last longer than all attempts. */
function script(random) {
  const faults = [];
  while (faults.length < 2 * CALLS) {
    const fault = FAULTS[Math.floor(random() * FAULTS.length)];
    const kind = random();
    if (kind < 0.6) faults.push("pass");
    else faults.push(...Array(kind < 0.9 ? 1 : 3 + Math.floor(random() * 4)).fill(fault));
  }
  return faults;
}

/** Sends uploads in sequence: uploads, reads back, and sometimes uploads again. */
async function lane(journal, tally, random) {
  while (proxy.seen.length < CALLS) {
    const upload = await journal.upload(server, OWNERS[Math.floor(random() * OWNERS.length)]);
    tally.answer(upload);
    if (upload.acknowledged) tally.picture(await read(upload));
    if (!upload.acknowledged || random() < 0.2) {
      await journal.send(server, upload);
      tally.answer(upload);
    }
  }
}

/** Reads a stored image through the failing store: "right", "refused" (503 with Retry-After), or what is wrong. */
async function read({ number, bytes, acknowledged }) {
  const address = { "CF-Connecting-IP": `198.19.${number >> 8}.${number & 255}` };
  const answer = await fetch(`${server.url}/${acknowledged.key}`, { headers: address });
  const body = await answer.arrayBuffer().catch(() => null);
  if (answer.status === 200) return body === null || Buffer.from(body).equals(bytes) ? "right" : "wrong bytes";
  return answer.status === 503 && Number(answer.headers.get("retry-after")) > 0 ? "refused" : `status ${answer.status}`;
}

/** Counts the responses, and lists those that must not occur. */
class Tally {
  counts = { requests: 0, stored: 0, same: 0, refused: 0, slowestMs: 0 };
  wrong = [];

  answer({ status, code, retryAfterS, tookMs }) {
    this.counts.requests += 1;
    this.counts.slowestMs = Math.max(this.counts.slowestMs, tookMs);
    if (status === 201) this.counts.stored += 1;
    else if (status === 200) this.counts.same += 1;
    else this.counts.refused += 1;
    const refusal = status === 503 && ["STORAGE_UNAVAILABLE", "BUSY"].includes(code) && retryAfterS > 0;
    if (status !== 201 && status !== 200 && !refusal) this.wrong.push(`answered ${status} ${code} ${retryAfterS}`);
  }

  picture(outcome) {
    if (!["right", "refused"].includes(outcome)) this.wrong.push(`read ${outcome}`);
  }
}

test(`with random faults in ${CALLS} calls to the store each upload is stored or gets 503 with Retry-After`, { timeout: 900_000 }, async (t) => {
  const random = chance(t);
  const journal = new Journal();
  const tally = new Tally();
  const started = Date.now();
  proxy.script(script(random));
  await Promise.all(Array.from({ length: LANES }, () => lane(journal, tally, random)));
  const calls = proxy.seen.length;
  const faults = proxy.seen.filter(({ fault }) => fault !== "pass").length;
  journal.check(look());
  proxy.script([]);
  const leaked = await journal.watchExpiry(look, PENDING_S + 60);
  const counts = { calls, faults, ...tally.counts, lost: journal.lost.size, leaked: leaked.length, ms: Date.now() - started };
  report(t, "storage", counts);

  assert.deepEqual(tally.wrong, []);
  assert.ok(counts.slowestMs < BOUND_MS, `${counts.slowestMs} ms`);
  assert.ok(counts.stored > 0 && counts.refused > 0, "the store failed at times, not always");
  assert.deepEqual(leaked, [], "left behind");
  journal.assertSettled(look());
  await assertServed(server, journal.promised());
});

test("a failed removal is retried until the object is deleted", { timeout: 120_000 }, async () => {
  const journal = new Journal();
  await Promise.all(Array.from({ length: 5 }, () => journal.upload(server, "guest-3")));
  const keys = journal.acknowledged.map(({ acknowledged }) => acknowledged.key);
  assert.equal(keys.length, 5);
  // Each run of the alarm makes three attempts; the next runs follow after two and four seconds.
  proxy.script(Array(60).fill(["500", "reset", "stall"]).flat(), { method: "DELETE" });
  const tried = () => proxy.seen.filter(({ method }) => method === "DELETE").length;
  await until(() => tried() >= 7, PENDING_S + 30, "the removal was retried");
  const left = () => keys.filter((key) => s3.objects().has(key));
  assert.deepEqual(left(), keys, "no removal has succeeded");
  proxy.script([]);
  await until(() => left().length === 0, 40, "all objects are removed");
});
