// Memory of the Worker for the largest image of each kind, alone, and for the four worst at once (the short form runs only
// the worst kinds). Images whose headers announce too many pixels or frames are rejected without memory or time. Times are
// always reported; they are asserted only in the long form, which needs a machine without other load.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { report, sleep } from "../faults/trial.mjs";
import { bombs } from "./bombs.mjs";
import { largest } from "./largest.mjs";
import { IS_LONG, MB, openUpload, startAfresh, startOpen, times, upload, wasmBytes } from "./traffic.mjs";

/** An isolate has 128 MB; a quarter is reserved for JavaScript. */
const MOST_BYTES = 96 * MB;
/** The same while bodies of others fill their memory: 128 MB without what JavaScript needs. */
const MOST_BESIDE_BYTES = 112 * MB;
/** Bodies that are in memory, all but their last byte, while an image of the worst kind is decoded: of the 12 and 20 MiB
 *  for large and small bodies, all that leaves room for its own body and for the decode. */
const OTHER_BODIES = [5 * MB, 4 * MB, ...Array.from({ length: 8 }, () => MB / 2)];
/** Time to send them. */
const SENT_MS = 2_000;
/** Memory that reading a header may take in addition to the file's bytes. */
const BOMB_BYTES = 1 * MB;
const BOMB_MS = 50;
const BOMB_ROUNDS = 20;
const CALLERS = 8;

let server;
before(async () => {
  // Bombs count as strikes; a high limit prevents a ban during the measurement.
  server = await startOpen({ STRIKES_TO_BAN: 1000 });
});
after(() => server?.stop());

const inMB = (bytes) => Math.round((bytes / MB) * 10) / 10;

test(`the largest image of each kind is stored with at most ${inMB(MOST_BYTES)} MB of memory`, { timeout: 600_000 }, async (t) => {
  const peaks = {};
  const [kinds, refused] = [[], []];
  for await (const kind of largest({ onlyWorst: !IS_LONG })) {
    const { name, type, body } = kind;
    kinds.push(kind);
    await startAfresh(server);
    const { status, code, ms } = await upload(server, { user: name.replaceAll(/[^a-z0-9]/gi, "-"), type, body });
    if (status !== 201) refused.push(`${name}, ${body.length} bytes: ${status} ${code}`);
    peaks[name] = await wasmBytes(server);
    t.diagnostic(`${name}: ${inMB(body.length)} MB became ${inMB(peaks[name])} MB of memory in ${Math.round(ms)} ms`);
  }
  assert.deepEqual(refused, []);
  const worst = kinds.toSorted((one, other) => peaks[other.name] - peaks[one.name]).slice(0, 4);
  await startAfresh(server);
  const together = await Promise.all(worst.map(({ type, body }, at) => upload(server, { user: `four-${at}`, address: at + 2, type, body })));
  // A request that waits too long for memory gets BUSY. The assertion is that memory stays below the bound.
  for (const { status, code } of together) assert.ok(status === 201 || code === "BUSY", `${status} ${code}`);
  assert.ok(together.some(({ status }) => status === 201));
  const four = await wasmBytes(server);
  await startAfresh(server);
  const two = await Promise.all(worst.slice(0, 2).map(({ type, body }, at) => upload(server, { user: `two-${at}`, address: at + 12, type, body })));
  assert.deepEqual(two.map(({ status }) => status), [201, 201], "two that need nearly all memory are stored one after the other");
  const beside = {};
  for (const { name, type, body } of worst) {
    await startAfresh(server);
    const others = await Promise.all(OTHER_BODIES.map((length, at) => openUpload(server, { user: `other-${at}`, address: 20 + at, type, length, sent: Buffer.alloc(length - 1) })));
    await sleep(SENT_MS);
    const { status, code } = await upload(server, { user: "beside", address: 40, type, body });
    assert.ok(others.every(({ heard }) => heard === ""), "the other bodies were in memory");
    others.forEach(({ stop }) => stop());
    assert.equal(status, 201, `${name}: ${code}`);
    beside[`${name}, beside other bodies`] = await wasmBytes(server);
  }
  const counts = Object.fromEntries(Object.entries(peaks).map(([name, bytes]) => [name, inMB(bytes)]));
  report(t, "memory", { mb: counts, fourWorstMb: inMB(four), besideBodiesMb: inMB(Math.max(...Object.values(beside))), fourWorst: worst.map(({ name }) => name), barMb: inMB(MOST_BYTES) });
  for (const [name, bytes] of Object.entries({ ...peaks, "four of the worst": four })) {
    assert.ok(bytes <= MOST_BYTES, `${name}: ${inMB(bytes)} MB`);
  }
  for (const [name, bytes] of Object.entries(beside)) assert.ok(bytes <= MOST_BESIDE_BYTES, `${name}: ${inMB(bytes)} MB`);
});

/** The bombs in a folder of hostile files; none without a folder. */
function foreign(folder) {
  if (!folder) return [];
  const types = { png: "image/png", jpg: "image/jpeg", jpeg: "image/jpeg", gif: "image/gif", webp: "image/webp" };
  return readdirSync(join(folder, "bombs"), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.split(".").at(-1) in types)
    .map(({ parentPath, name }) => ({ name, type: types[name.split(".").at(-1)], body: readFileSync(join(parentPath, name)) }));
}

test("a decompression bomb gets IMAGE_TOO_LARGE and takes almost no memory or time", { timeout: 300_000 }, async (t) => {
  const all = [...bombs(), ...foreign(process.env.CORPORA)];
  const results = {};
  const failed = [];
  let sent = 0;
  // A few callers take turns, so that their ledgers exist after the first requests: creating a ledger costs more than
  // rejecting an image.
  const send = (bomb) => upload(server, { ...bomb, user: `bomber-${(sent += 1) % CALLERS}`, address: 1000 + (sent % CALLERS) });
  for (const bomb of all) {
    await startAfresh(server);
    // Bytes of the same length that are no image: the memory of the body itself is not the memory of the bomb.
    const padding = { type: "image/gif", body: Buffer.alloc(bomb.body.length, 0x20) };
    for (let round = 0; round < CALLERS; round += 1) await send(padding);
    const before = await wasmBytes(server);
    const outcomes = [];
    for (let round = 0; round < BOMB_ROUNDS; round += 1) outcomes.push(await send(bomb));
    const grownBytes = (await wasmBytes(server)) - before;
    const { p50, max } = times(outcomes.map(({ ms }) => ms));
    results[bomb.name] = { code: outcomes[0].code, grownBytes, p50, max };
    const isRefused = outcomes.every(({ status, code }) => status === 422 && code === "IMAGE_TOO_LARGE");
    if (!isRefused) failed.push(`${bomb.name}: ${outcomes[0].status} ${outcomes[0].code}`);
    if (grownBytes >= BOMB_BYTES) failed.push(`${bomb.name}: ${inMB(grownBytes)} MB`);
    if (IS_LONG && (p50 > BOMB_MS || max > BOMB_MS)) failed.push(`${bomb.name}: ${p50} ms, at most ${max} ms`);
  }
  report(t, "bombs", results);
  assert.deepEqual(failed, []);
});
