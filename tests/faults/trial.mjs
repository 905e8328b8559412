// Shared code of the fault tests: a seeded random generator, a journal of uploads and acknowledgements, checks of the stores
// against the journal, and the file of counts.
import assert from "node:assert/strict";
import { createHash, randomInt } from "node:crypto";

import { gif } from "../e2e/pictures.mjs";
import { writeReport } from "../report.mjs";

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
export const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");

/** A seeded generator of numbers from 0 to 1 (mulberry32); FAULT_SEED repeats a failed run. */
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

/** Waits until `holds()` is true, for at most `seconds`. */
export async function until(holds, seconds, what) {
  const deadline = Date.now() + seconds * 1000;
  while (!holds()) {
    assert.ok(Date.now() < deadline, `not after ${seconds} s: ${what}`);
    await sleep(200);
  }
}

/** Writes the counts of a trial to the report and to the output of its test. */
export function report(t, name, counts) {
  writeReport(name, counts);
  t.diagnostic(`${name}: ${JSON.stringify(counts)}`);
}

/** All uploads of a trial and the responses to them. */
export class Journal {
  uploads = [];
  /** Keys that were acknowledged and then missing or different. */
  lost = new Set();

  /** Uploads an image with unique bytes as `owner`; owners named `guest-…` are guests. */
  async upload(server, owner) {
    const number = this.uploads.length;
    const upload = { number, owner, name: `${number}.gif`, bytes: gif(number), acknowledged: null };
    this.uploads.push(upload);
    await this.send(server, upload);
    return upload;
  }

  /** Sends an upload, perhaps again. It counts as acknowledged when the whole response was read. */
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
          // A separate client IP for each upload, so that its limit does not apply.
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
      // The response was lost.
    }
    upload.tookMs = Date.now() - started;
  }

  /** Claims a guest's image for a user, as the platform's back end does, perhaps again. */
  async claim(server, upload, keeper) {
    const { key } = upload.acknowledged;
    upload.claim = "lost";
    const headers = {
      Authorization: `Bearer ${server.token({ sub: "platform", role: "SERVICE" })}`,
      "Content-Type": "application/json",
      "CF-Connecting-IP": `198.19.${upload.number >> 8}.${upload.number & 255}`,
    };
    try {
      const body = JSON.stringify({ key, userId: keeper });
      const answer = await fetch(`${server.url}/images/metadata`, { method: "POST", headers, body });
      const { code, data } = await answer.json();
      upload.claim = code ?? "done";
      // A repeated claim after a lost response gets the code, not the id.
      const registered = { done: () => data.imageId, IMAGE_ALREADY_REGISTERED: () => rowOf(server, key)?.id };
      const imageId = registered[upload.claim]?.();
      if (imageId !== undefined) Object.assign(upload, { keeper, acknowledged: { ...upload.acknowledged, imageId, expiresAt: null } });
    } catch {
      // The response was lost: the image may be registered or not.
    }
  }

  get acknowledged() {
    return this.uploads.filter(({ acknowledged }) => acknowledged);
  }

  get unanswered() {
    return this.uploads.filter(({ acknowledged, code }) => !acknowledged && !code);
  }

  /** The acknowledged uploads that must exist at `nowMs`. */
  promised(nowMs = Date.now()) {
    const stays = ({ acknowledged: { expiresAt } }) => expiresAt === null || Date.parse(expiresAt) > nowMs;
    return this.acknowledged.filter(stays);
  }

  /** Records each acknowledged upload whose bytes or row are missing or wrong, and each row without an object. */
  check({ objects, rows }) {
    const byKey = new Map(rows.map((row) => [row.key, row]));
    const isKept = ({ owner, keeper = owner, name, bytes, acknowledged: { key, imageId } }) => {
      const row = byKey.get(key);
      return row?.id === imageId && row.owner === keeper && row.original_name === name && row.sha256 === sha256(bytes);
    };
    // Skip what expires within two seconds: it may be removed between the calls.
    for (const upload of this.promised(Date.now() + 2_000)) {
      const { key, expiresAt } = upload.acknowledged;
      const isThere = objects.get(key)?.equals(upload.bytes) && (expiresAt !== null || isKept(upload));
      if (!isThere) this.lost.add(key);
    }
    for (const { key } of rows) if (!objects.has(key)) this.lost.add(key);
  }

  /** Objects and rows without an acknowledged upload. Lost uploads have been sent again by then. */
  strays({ objects, rows }) {
    const promised = new Set(this.promised().map(({ acknowledged }) => acknowledged.key));
    const there = new Set([...objects.keys(), ...rows.map(({ key }) => key)]);
    return [...there].filter((key) => !promised.has(key));
  }

  /** Checks until all guest images have expired and no strays are left; returns the strays that remain at the deadline. */
  async watchExpiry(look, seconds) {
    const deadline = Date.now() + seconds * 1000;
    for (;;) {
      const there = look();
      this.check(there);
      const strays = this.strays(there);
      const isOver = !this.promised().some(({ acknowledged }) => acknowledged.expiresAt !== null);
      if (isOver && strays.length === 0) return [];
      if (Date.now() > deadline) return strays;
      await sleep(500);
    }
  }

  /** Asserts that objects, rows and acknowledged uploads are the same set. */
  assertSettled({ objects, rows }) {
    assert.deepEqual([...this.lost], [], "acknowledged and missing, or a row without its object");
    const keys = rows.map(({ key }) => key).sort();
    assert.deepEqual([...objects.keys()].sort(), keys, "objects and rows");
    assert.deepEqual(this.promised().map(({ acknowledged }) => acknowledged.key).sort(), keys, "answers and rows");
  }
}

const rowOf = (server, key) => server.rows().find((row) => row.key === key);

/** Fetches each upload and compares status, type and bytes. */
export async function assertServed(server, uploads) {
  for (const { bytes, acknowledged } of uploads) {
    const address = { "CF-Connecting-IP": `198.19.${acknowledged.key.length}.${bytes[16]}` };
    const picture = await fetch(`${server.url}/${acknowledged.key}`, { headers: address });
    assert.equal(picture.status, 200, acknowledged.key);
    assert.equal(picture.headers.get("content-type"), "image/gif");
    assert.deepEqual(Buffer.from(await picture.arrayBuffer()), bytes, acknowledged.key);
  }
}
