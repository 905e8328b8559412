// Forms on the built Worker: policies, refusals, the list of forms, closing a form and deleting its pictures, and limits that hold for a thousand
// racing uploads.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { OPEN, all, client, tally } from "./forms.mjs";
import { gif } from "./pictures.mjs";
import { retryWhileBusy } from "./retry.mjs";
import { startServer } from "./server.mjs";

const RACING = 1_000;
const MOST = 120;

let server, ask, upload, put, rowsOf;
before(async () => {
  server = await startServer({ vars: OPEN });
  ({ ask, upload, put, rowsOf } = client(server));
});
after(() => server?.stop());

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

test("a back end writes, reads and closes a form, and the public policy follows", async () => {
  const written = await put("stay", { maxFilesPerUser: 2, minWidth: 2, quality: 60 });
  assert.deepEqual([written.status, written.data.formId, written.data.maxFilesPerUser], [201, "stay", 2]);
  assert.equal((await put("stay", { maxFilesPerUser: 2, accept: ["image/gif"] })).status, 200);
  const read = await ask("GET", "/forms/stay");
  assert.deepEqual([read.data.minWidth, read.data.accept], [null, ["image/gif"]]);
  const policy = await fetch(`${server.url}/policy?formId=stay`);
  assert.equal(policy.headers.get("cache-control"), "public, max-age=30");
  const { form, acceptedTypes, guests } = await policy.json();
  assert.deepEqual([form.state, form.maxFilesPerUser, acceptedTypes, guests], ["open", 2, ["image/gif"], true]);
  const mistake = await put("stay", { maxfiles: 2 });
  assert.deepEqual([mistake.code, mistake.detail], ["MALFORMED_REQUEST", "There is no field `maxfiles`."]);
  for (const role of ["USER", "GUEST"]) assert.equal((await ask("PUT", "/forms/stay", { sub: "7", role, body: {} })).code, "ROLE_NOT_ALLOWED");
  assert.equal((await upload("anna", "stay", gif(1))).status, 201);
  assert.equal((await ask("DELETE", "/forms/stay")).status, 200);
  const refused = await upload("anna", "stay", gif(2));
  assert.deepEqual([refused.status, refused.code], [403, "FORM_CLOSED"]);
  assert.ok(Date.parse(refused.closesAt) <= Date.now());
  assert.equal(rowsOf("stay").length, 1, "its pictures stay");
  assert.equal((await ask("GET", "/forms/none")).code, "FORM_NOT_FOUND");
});

test("forms are listed with their pictures, and one is closed together with them", async () => {
  await put("album", { maxFiles: 50 });
  await all(25, (at) => upload(`friend-${at % 5}`, "album", gif(500 + at)));
  const kept = await upload("anna", "other", gif(500));
  const { data: pending } = await upload("guest-9", "album", gif(600), "GUEST");
  const page = await ask("GET", "/forms?limit=1");
  assert.deepEqual(page.data.forms.map(({ formId, state, imageCount, maxFiles }) => [formId, state, imageCount, maxFiles]), [["album", "open", 25, 50]]);
  const next = await ask("GET", `/forms?limit=1&cursor=${page.data.nextCursor}`);
  assert.deepEqual([next.data.forms[0].formId, next.data.forms[0].state], ["stay", "closed"]);

  assert.equal((await ask("DELETE", "/forms/album?pictures=yes")).code, "MALFORMED_REQUEST");
  const begun = await ask("DELETE", "/forms/album?pictures=delete");
  assert.deepEqual([begun.status, begun.headers.get("location"), begun.data.total], [202, begun.data.url, 25]);
  assert.equal((await upload("friend-1", "album", gif(700))).code, "FORM_CLOSED");
  const claim = await ask("POST", "/images/metadata", { body: { key: pending.key, userId: "anna" } });
  assert.deepEqual([claim.status, claim.code], [403, "FORM_CLOSED"], "an unclaimed picture cannot follow");
  const progress = () => ask("GET", new URL(begun.data.url).pathname).then(({ data }) => data);
  for (const deadline = Date.now() + 30_000; (await progress()).state !== "done"; await sleep(200)) assert.ok(Date.now() < deadline);
  assert.deepEqual((await progress()).removed, 25);
  assert.deepEqual(rowsOf("album"), []);
  assert.ok(server.keys().includes(kept.data.key));
  // The unclaimed picture keeps its place until it expires.
  assert.equal((await put("album", { maxFiles: 2 })).data.picturesDeletedAt, null, "it is open again");
  assert.equal((await upload("friend-1", "album", gif(701))).status, 201, "its places are free");
  assert.equal((await upload("friend-2", "album", gif(702))).code, "FORM_FULL");
});

test("a claim takes a place of the claimant, and a limit that is set later counts what exists", { timeout: 120_000 }, async () => {
  for (const at of [1, 2]) assert.equal((await upload(`early-${at}`, "later", gif(30 + at))).status, 201);
  await put("later", { maxFiles: 4, maxFilesPerUser: 1 });
  const { data } = await upload("guest-7", "later", gif(33), "GUEST");
  assert.equal((await upload("early-1", "later", gif(34))).full, "user");
  const claim = (userId) => ask("POST", "/images/metadata", { body: { key: data.key, userId } });
  assert.deepEqual(await claim("early-1").then(({ code, full }) => [code, full]), ["FORM_FULL", "user"]);
  const claimed = await claim("dora");
  assert.equal(claimed.status, 201);
  const repeated = await claim("dora");
  assert.deepEqual([repeated.status, repeated.data.imageId], [200, claimed.data.imageId]);
  assert.equal((await ask("POST", "/images/metadata", { body: { key: data.key } })).code, "MALFORMED_REQUEST", "a back end names the new owner");
  assert.equal((await upload("dora", "later", gif(35))).full, "user");
  assert.equal((await upload("guest-7", "later", gif(36), "GUEST")).status, 201, "the guest has none any more");
  assert.equal((await upload("eun", "later", gif(37))).full, "form");
});

test("of a thousand racing uploads exactly as many are stored as the form takes, and each user has at most their share", { timeout: 900_000 }, async (t) => {
  await put("race", { maxFiles: MOST, maxFilesPerUser: 3 });
  const began = Date.now();
  const answers = await all(RACING, (at) => retryWhileBusy(() => upload(`racer-${at % 50}`, "race", gif(10_000 + at))));
  t.diagnostic(`${RACING} uploads in ${Date.now() - began} ms: ${JSON.stringify(tally(answers))}`);
  const rows = rowsOf("race");
  assert.deepEqual(tally(answers), { 201: MOST, FORM_FULL: RACING - MOST });
  assert.equal(rows.length, MOST);
  for (const [owner, { length }] of Object.entries(Object.groupBy(rows, ({ owner }) => owner))) assert.ok(length <= 3, `${owner}: ${length}`);
  const full = answers.filter(({ code }) => code === "FORM_FULL");
  assert.ok(full.every(({ full, limit }) => (full === "form" && limit === MOST) || (full === "user" && limit === 3)));
  // A repetition is free, and a deleted picture frees its place.
  const [first] = answers.filter(({ status }) => status === 201);
  const owner = first.data.key.split("/")[1];
  const bytes = gif(10_000 + answers.indexOf(first));
  const again = await upload(owner, "race", bytes);
  assert.deepEqual([again.status, again.data.key], [200, first.data.key]);
  assert.equal((await upload("late", "race", gif(1))).code, "FORM_FULL");
  assert.equal((await ask("DELETE", `/images/${first.data.imageId}`)).status, 200);
  assert.equal((await upload("late", "race", gif(1))).status, 201);
  assert.equal((await upload("late", "race", gif(2))).code, "FORM_FULL");
});
