// Forms on the built Worker: policies, refusals, the list of forms, closing a form and deleting its pictures, and limits that hold for a thousand
// racing uploads and after a kill.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { gif } from "./pictures.mjs";
import { retryWhileBusy } from "./retry.mjs";
import { startServer } from "./server.mjs";

const RACING = 1_000;
const AT_ONCE = 48;
const MOST = 120;
const INTENT_S = 15;
const OPEN = { RATE_PER_MINUTE: 100_000, IP_PER_MINUTE: 100_000, SERVICE_PER_MINUTE: 100_000, DAILY_COUNT: 1_000_000, LOG_LEVEL: "warn" };

let requests = 0;
/** Requests to one server. */
function client(server) {
  async function ask(method, path, { sub = "back-end", role = "SERVICE", body } = {}) {
    const at = requests++;
    const headers = { Authorization: `Bearer ${server.token({ sub, role })}`, "CF-Connecting-IP": `198.18.${(at >> 8) & 255}.${at & 255}` };
    const isJson = body !== undefined && !(body instanceof FormData);
    if (isJson) headers["Content-Type"] = "application/json";
    const answer = await fetch(server.url + path, { method, headers, body: isJson ? JSON.stringify(body) : body });
    const text = await answer.text();
    return { status: answer.status, headers: answer.headers, ...(text && JSON.parse(text)) };
  }
  function upload(sub, form, bytes, role = "USER") {
    const body = new FormData();
    body.append("formId", form);
    body.append("file", new Blob([bytes], { type: "image/gif" }), "a.gif");
    return ask("POST", "/images", { sub, role, body });
  }
  return { ask, upload, put: (form, policy) => ask("PUT", `/forms/${form}`, { body: policy }), rowsOf: (form) => server.rows().filter(({ form_id }) => form_id === form) };
}

let server, ask, upload, put, rowsOf;
before(async () => {
  server = await startServer({ vars: OPEN });
  ({ ask, upload, put, rowsOf } = client(server));
});
after(() => server?.stop());

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Runs at most AT_ONCE of them at a time. */
async function all(count, act) {
  const results = [];
  let next = 0;
  const run = async () => {
    while (next < count) {
      const at = next++;
      results[at] = await act(at);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, run));
  return results;
}

const tally = (answers) => Object.fromEntries(Object.entries(Object.groupBy(answers, ({ status, code }) => code ?? status)).map(([name, { length }]) => [name, length]));

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

// Both run at the same time on different servers, because one waits for leases to end.
describe("exact limits", { concurrency: 2 }, () => {
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

  test("after kills the form has exactly as many places as pictures", { timeout: 900_000 }, async (t) => {
    const worker = await startServer({ vars: { ...OPEN, INTENT_S, STORAGE_TIMEOUT_MS: 1_150 } });
    t.after(() => worker.stop());
    const { upload, put, rowsOf } = client(worker);
    const [form, most, cycles] = ["killed", 60, 3];
    await put(form, { maxFiles: most });
    let sent = 0;
    const send = (count) => all(count, () => upload(`user-${sent % 7}`, form, gif(50_000 + sent++)).catch(() => ({ status: "lost" })));
    const outcomes = [];
    for (let cycle = 0; cycle < cycles; cycle += 1) {
      const sending = send(30);
      // While uploads are under way, however slow the machine is.
      const enough = Date.now() + 30_000;
      while (rowsOf(form).length < 8 * (cycle + 1) && Date.now() < enough) await sleep(20);
      await worker.restart();
      outcomes.push(...(await sending));
    }
    // Places of uploads that were interrupted are free again when their leases have ended.
    const deadline = Date.now() + (INTENT_S + 60 + 60 + 90) * 1000;
    let answers = [];
    while (rowsOf(form).length < most && Date.now() < deadline) {
      answers = await send(most - rowsOf(form).length);
      assert.ok(rowsOf(form).length <= most, `${rowsOf(form).length} of ${most}`);
      await sleep(2_000);
    }
    t.diagnostic(`killed: ${JSON.stringify(tally(outcomes))}, then ${JSON.stringify(tally(answers))}`);
    assert.equal(rowsOf(form).length, most);
    assert.equal((await upload("late", form, gif(3))).code, "FORM_FULL");
  });
});
