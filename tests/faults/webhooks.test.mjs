// Kills the server at random times during uploads, claims and deletions, with a back end that fails half of the time. Each
// acknowledged upload is an event at least once, nothing else is, and the events of one picture arrive in their order.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { startBackEnd } from "../e2e/back_end.mjs";
import { startServer } from "../e2e/server.mjs";
import { Journal, chance, report, sleep } from "./trial.mjs";

const CYCLES = Number(process.env.FAULT_CYCLES ?? 3);
const UPLOADS = 12;
const OWNERS = ["anna", "bora", "chul", "dana", "guest-1", "guest-2"];
const SPREAD_MS = 500;
/** The shortest intent lease that the configuration accepts for this storage timeout. */
const INTENT_S = 15;
const STORAGE_TIMEOUT_MS = 1_150;
const PENDING_S = 3_600;
/** Time in which some events are tried again. */
const RETRIES_MS = 2_000;
/** An interrupted registration is reverted after a minute. */
const SETTLED_S = 60 + INTENT_S;
const ORDER = ["image.stored", "image.claimed", "image.deleted"];

let server;
let backEnd;
before(async () => {
  backEnd = await startBackEnd();
  const open = { RATE_PER_MINUTE: 100_000, IP_PER_MINUTE: 100_000, DAILY_COUNT: 1_000_000 };
  server = await startServer({ vars: { ...open, INTENT_S, STORAGE_TIMEOUT_MS, PENDING_S, WEBHOOK_URL: backEnd.url }, secrets: { WEBHOOK_SECRET: backEnd.secret } });
});
after(() => Promise.all([server?.stop(), backEnd?.stop()]));

async function remove(upload) {
  const headers = { Authorization: `Bearer ${server.token({ sub: "platform", role: "SERVICE" })}` };
  try {
    const { status } = await fetch(`${server.url}/images?key=${upload.acknowledged.key}`, { method: "DELETE", headers });
    upload.removed = [200, 202, 404].includes(status) ? "done" : `status ${status}`;
  } catch {
    upload.removed = "lost";
  }
}

const later = async (random, act) => {
  await sleep(random() * SPREAD_MS);
  return act();
};

const send = (journal, random) => Array.from({ length: UPLOADS }, (_, at) => later(random, () => journal.upload(server, OWNERS[at % OWNERS.length])));

/** Uploads pictures, claims half of the last guests' and deletes a third of the last others, and kills the server meanwhile. */
async function cycle(journal, random, last, killMs) {
  const guests = last.filter(({ owner }) => owner.startsWith("guest-")).filter((_, at) => at % 2 === 0);
  const gone = last.filter(({ owner }) => !owner.startsWith("guest-")).filter((_, at) => at % 3 === 0);
  const sending = send(journal, random);
  const all = Promise.all([
    ...sending,
    ...guests.map((upload) => later(random, () => journal.claim(server, upload, "anna"))),
    ...gone.map((upload) => later(random, () => remove(upload))),
  ]);
  await Promise.race([sleep(killMs), all]);
  await server.restart();
  await all;
  return Promise.all(sending);
}

/** Repeats what got no response, until all of it is done. */
async function repeat(journal) {
  const open = () => ({
    uploads: journal.uploads.filter(({ acknowledged }) => !acknowledged),
    claims: journal.uploads.filter(({ claim }) => claim === "lost"),
    removals: journal.uploads.filter(({ removed }) => removed && removed !== "done"),
  });
  for (let round = 0; round < 12 && Object.values(open()).some((left) => left.length > 0); round += 1) {
    if (round > 0) await sleep(SETTLED_S * 100);
    const { uploads, claims, removals } = open();
    await Promise.all([...uploads.map((upload) => journal.send(server, upload)), ...claims.map((upload) => journal.claim(server, upload, "anna")), ...removals.map(remove)]);
  }
  assert.deepEqual(Object.values(open()).flat(), []);
}

const waiting = () => server.ledgerRows("queues").length;

/** Makes every event due now, and lets a command see it, which sets the alarm. */
async function makeDue() {
  await server.restart({}, {
    meanwhile: () => {
      server.changeLedgers("queues", "UPDATE queues SET due_ms = 1");
      server.changeRows("DELETE FROM webhook_endpoint");
    },
  });
  const headers = { Authorization: `Bearer ${server.token({ sub: "root", role: "ADMIN" })}` };
  await Promise.all([...OWNERS, "platform"].map((sub) => fetch(`${server.url}/admin/api/users/${sub}`, { headers }).then((answer) => answer.arrayBuffer())));
}

/** Waits until no event is left. */
async function drain(seconds) {
  const deadline = Date.now() + seconds * 1000;
  while (waiting() > 0) {
    assert.ok(Date.now() < deadline, `${waiting()} events wait: ${server.log().slice(-3_000)}`);
    await sleep(300);
  }
}

test(`after ${CYCLES} kills with a back end that fails half of the time, every acknowledged upload is an event`, { timeout: 1_500_000 }, async (t) => {
  const [journal, random, started] = [new Journal(), chance(t), Date.now()];
  const fails = chance(t);
  backEnd.answer = () => (fails() < 0.5 ? [500, 503, { status: 302, headers: { location: backEnd.url } }, 404][Math.floor(fails() * 4)] : 204);
  let last = await Promise.all(send(journal, random));
  const usualMs = Date.now() - started;
  for (let at = 0; at < CYCLES; at += 1) {
    const sent = await cycle(journal, random, last, usualMs * (0.3 + random()));
    last = sent.filter(({ acknowledged }) => acknowledged);
  }
  const interrupted = journal.uploads.filter(({ acknowledged }) => !acknowledged).length;
  await repeat(journal);
  // Events that wait are sent again, while the back end still fails half of the time; each round kills the server.
  for (let round = 0; round < CYCLES && waiting() > 0; round += 1) {
    await makeDue();
    await sleep(RETRIES_MS);
  }
  const failed = backEnd.attempts.filter(({ taken }) => !taken).length;
  // The back end works again; what waits for hours is sent now.
  backEnd.answer = () => 204;
  await makeDue();
  await drain(60);

  const taken = backEnd.taken();
  const of = (type) => new Set(taken.filter((event) => event.type === type).map(({ data }) => data.key));
  const acknowledged = new Set(journal.uploads.map(({ acknowledged: { key } }) => key));
  const stored = of("image.stored");
  assert.deepEqual(backEnd.forged, [], "every attempt is signed");
  assert.deepEqual([...acknowledged].filter((key) => !stored.has(key)), [], "acknowledged without an event");
  assert.deepEqual([...stored].filter((key) => !acknowledged.has(key)), [], "an event without an acknowledged upload");
  const claimed = journal.uploads.filter(({ keeper }) => keeper).map(({ acknowledged: { key } }) => key);
  assert.deepEqual(claimed.filter((key) => !of("image.claimed").has(key)), [], "claimed without an event");
  const removed = journal.uploads.filter(({ removed: it }) => it).map(({ acknowledged: { key } }) => key);
  assert.deepEqual(removed.filter((key) => !of("image.deleted").has(key)), [], "deleted without an event");
  const bodies = new Map();
  for (const { id, body } of backEnd.attempts) assert.equal(bodies.get(id) ?? body, bodies.set(id, bodies.get(id) ?? body).get(id), "an id has one body");
  const steps = new Map();
  for (const { type, data } of taken) {
    const step = ORDER.indexOf(type);
    assert.ok(step >= (steps.get(data.key) ?? 0), `${type} of ${data.key} after ${ORDER[steps.get(data.key)]}`);
    steps.set(data.key, step);
  }
  report(t, "webhooks", {
    cycles: CYCLES,
    uploads: journal.uploads.length,
    interrupted,
    events: new Set(taken.map(({ id }) => id)).size,
    attempts: backEnd.attempts.length,
    failedAttempts: failed,
    deliveredTwice: taken.length - new Set(taken.map(({ id }) => id)).size,
    claimed: claimed.length,
    deleted: removed.length,
    ms: Date.now() - started,
  });
  assert.ok(failed > 0 && taken.length > 0);
});
