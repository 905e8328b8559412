// Clients that announce bodies and send nothing, or stop after the first bytes. Uploads of other clients are stored, whether
// the silent ones have one user or many, and one client IP or many.
import assert from "node:assert/strict";
import { Agent } from "node:http";
import { after, before, test } from "node:test";

import { noise } from "../e2e/pictures.mjs";
import { report, sleep } from "../faults/trial.mjs";
import { openUpload, startOpen, tally, times, upload } from "./traffic.mjs";

const SILENT = 64;
const ANNOUNCED_BYTES = 512 * 1024;
const UPLOADS = 50;
/** A silent body gives back what it has reserved after five seconds. */
const AFTER_MS = 6_000;

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

/** The clients of the silent bodies, and the bytes they send. */
const KINDS = {
  "of one user": { silent: () => ({ user: "silent", address: 1 }), sentBytes: 0 },
  "of one user at the client IP of the others": { silent: () => ({ user: "silent", address: 500 }), sentBytes: 0 },
  "of many users at the client IP of the others": { silent: (at) => ({ user: `silent-${at}`, address: 500 }), sentBytes: 0 },
  "of many users and client IPs": { silent: (at) => ({ user: `silent-${at}`, address: 1_000 + at }), sentBytes: 0 },
  "of one user that stop after 20 KB": { silent: () => ({ user: "silent", address: 1 }), sentBytes: 20_000 },
};

let sent = 0;
/** Sends uploads in sequence, so that the server is never busy with them alone. */
async function uploads() {
  const outcomes = [];
  for (let at = 0; at < UPLOADS; at += 1) {
    sent += 1;
    outcomes.push(await upload(server, { user: `user-${sent % 10}`, address: 500, type: "image/png", body: noise(100, 100), agent }));
  }
  return outcomes;
}

const ms = (outcomes) => times(outcomes.map((outcome) => outcome.ms));

for (const [kind, { silent, sentBytes }] of Object.entries(KINDS)) {
  test(`${SILENT} silent bodies of 512 KB ${kind} beside uploads`, { timeout: 120_000 }, async (t) => {
    await uploads();
    const alone = await uploads();
    const silents = await Promise.all(Array.from({ length: SILENT }, (_, at) => openUpload(server, { ...silent(at), type: "image/png", length: ANNOUNCED_BYTES, sent: Buffer.alloc(sentBytes) })));
    t.after(() => silents.forEach(({ stop }) => stop()));
    const beside = await uploads();
    const isOpen = silents.filter(({ heard }) => heard === "").length;
    await sleep(AFTER_MS);
    const later = await uploads();
    silents.forEach(({ stop }) => stop());
    report(t, "silent", { [kind]: { aloneMs: ms(alone), besideMs: ms(beside), laterMs: ms(later), open: isOpen } });
    const all = [...alone, ...beside, ...later];
    assert.deepEqual(tally(all), { 201: all.length });
    assert.ok(isOpen > 0, "some were silent meanwhile");
  });
}
