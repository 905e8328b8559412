// What the trials of faults have in common: a seeded chance, a journal of what was sent and what was
// acknowledged, the questions that an acknowledgement must stand, and the file of counts.
import assert from "node:assert/strict";
import { createHash, randomInt } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";

import { gif } from "../e2e/pictures.mjs";

const REPORT = "target/reliability.json";

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
export const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");

/** Numbers from 0 to 1 that a seed repeats (mulberry32); FAULT_SEED gives a failed run again. */
export function chance(t) {
  const seed = Number(process.env.FAULT_SEED ?? randomInt(2 ** 31));
  t.diagnostic(`FAULT_SEED=${seed}`);
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Waits until `found()` is empty, and says what is still there when that takes too long. */
export async function untilNone(found, seconds, what) {
  const deadline = Date.now() + seconds * 1000;
  for (let left = await found(); left.length > 0; left = await found()) {
    assert.ok(Date.now() < deadline, `${what} after ${seconds} s: ${left.join("\n")}`);
    await sleep(500);
  }
}

/** Adds counts under a name of their own, beside those of other trials. */
export function report(t, name, counts) {
  let all = {};
  try {
    all = JSON.parse(readFileSync(REPORT, "utf8"));
  } catch (error) {
    if (error.code !== "ENOENT") throw error;
  }
  mkdirSync("target", { recursive: true });
  writeFileSync(REPORT, `${JSON.stringify({ ...all, [name]: counts }, null, 2)}\n`);
  t.diagnostic(`${name}: ${JSON.stringify(counts)}`);
}

/** Everything that one trial sends, and what it was told. */
export class Journal {
  uploads = [];

  /** Sends a picture that no other upload has, as `owner`; those named `guest-…` are guests. */
  async upload(server, owner) {
    const number = this.uploads.length;
    const upload = { number, owner, name: `${number}.gif`, bytes: gif(number), acknowledged: null };
    this.uploads.push(upload);
    await this.send(server, upload);
    return upload;
  }

  /** Sends it, perhaps again. What counts as acknowledged was read to its last byte. */
  async send(server, upload) {
    const role = upload.owner.startsWith("guest-") ? "GUEST" : "USER";
    const started = Date.now();
    Object.assign(upload, { status: 0, code: null, retryAfterS: null });
    try {
      const answer = await fetch(`${server.url}/images`, {
        method: "POST",
        headers: {
          Authorization: `Bearer ${server.token({ sub: upload.owner, role })}`,
          "Content-Type": "image/gif",
          "X-Filename": upload.name,
          // Of its own, so that the limit of an address stays out of it.
          "CF-Connecting-IP": `198.18.${upload.number >> 8}.${upload.number & 255}`,
        },
        body: upload.bytes,
      });
      const json = await answer.json();
      upload.status = answer.status;
      upload.code = json.code ?? null;
      upload.retryAfterS = Number(answer.headers.get("retry-after"));
      if (answer.status === 201 || answer.status === 200) upload.acknowledged = json.data;
    } catch {
      // Lost on its way: nothing was said.
    }
    upload.tookMs = Date.now() - started;
  }

  get acknowledged() {
    return this.uploads.filter(({ acknowledged }) => acknowledged);
  }

  get unanswered() {
    return this.uploads.filter(({ acknowledged, code }) => !acknowledged && !code);
  }

  /** Keys that were promised to be there at a moment. */
  promised(nowMs = Date.now()) {
    const stays = ({ acknowledged: { expiresAt } }) => expiresAt === null || Date.parse(expiresAt) > nowMs;
    return this.acknowledged.filter(stays);
  }

  /** What was promised and does not lie in the store as it was sent. */
  missing(objects, nowMs) {
    const intact = ({ bytes, acknowledged: { key } }) => objects.get(key)?.equals(bytes);
    return this.promised(nowMs).filter((upload) => !intact(upload)).map(({ acknowledged }) => acknowledged.key);
  }

  /** What was told as registered and is not, or not as it was told. */
  unregistered(rows) {
    const byKey = new Map(rows.map((row) => [row.key, row]));
    const told = this.acknowledged.filter(({ acknowledged }) => acknowledged.imageId !== null);
    const stands = ({ owner, name, bytes, acknowledged: { key, imageId } }) => {
      const row = byKey.get(key);
      return row?.id === imageId && row.owner === owner && row.original_name === name && row.sha256 === sha256(bytes);
    };
    return told.filter((upload) => !stands(upload)).map(({ acknowledged }) => acknowledged.key);
  }

  /** Objects that belong to no row and to no promise. */
  strays(objects, rows, nowMs = Date.now()) {
    const known = new Set(rows.map(({ key }) => key));
    for (const { acknowledged } of this.promised(nowMs)) known.add(acknowledged.key);
    return [...objects.keys()].filter((key) => !known.has(key));
  }
}

/** Fetches what was promised: every byte, as the type that it is. */
export async function assertServed(server, uploads) {
  for (const { bytes, acknowledged } of uploads) {
    const address = { "CF-Connecting-IP": `198.19.${acknowledged.key.length}.${bytes[16]}` };
    const picture = await fetch(`${server.url}/${acknowledged.key}`, { headers: address });
    assert.equal(picture.status, 200, acknowledged.key);
    assert.equal(picture.headers.get("content-type"), "image/gif");
    assert.deepEqual(Buffer.from(await picture.arrayBuffer()), bytes, acknowledged.key);
  }
}
