// Concurrent requests for the same resource, in many rounds on the running Worker: the last units of a quota, an upload
// ticket, the same bytes, a guest image that is about to expire, an image that is being deleted, a banned user. After each
// test no image is lost, left behind or stored twice, also after a kill. tests/e2e has single races; these count many.
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";

import { gif } from "../e2e/pictures.mjs";
import { retryWhileBusy } from "../e2e/retry.mjs";
import { startServer } from "../e2e/server.mjs";
import { report, sleep, until } from "./trial.mjs";

const ROUNDS = Math.ceil(Number(process.env.FAULT_CYCLES ?? 8) / 2);
const AT_ONCE = 20;
const DAILY_COUNT = 60;
/** Lifetime of a guest image, and the times of claims relative to its end. */
const PENDING_S = 3;
const CLAIMS_MS = [-1500, -600, -300, 0, 300];
/** Time until an intent without an upload is cleaned up, with margin for a slow machine. */
const SETTLED_S = 90;

let server;
before(async () => {
  server = await startServer({ vars: { DAILY_COUNT, RATE_PER_MINUTE: 100_000, IP_PER_MINUTE: 100_000, STRIKES_TO_BAN: 3, PENDING_S, INTENT_S: 15, STORAGE_TIMEOUT_MS: 1_150, TICKET_S: 300 } });
});
after(() => server?.stop());

let requests = 0;
let pictures = 0;
async function ask(method, path, { sub, role = "USER", token, body, type = "image/gif" } = {}) {
  const at = requests++;
  const headers = { Authorization: `Bearer ${token ?? server.token({ sub, role })}`, "CF-Connecting-IP": `198.18.${8 + (at >> 14)}.${(at >> 6) & 255}` };
  if (body !== undefined) headers["Content-Type"] = type;
  const answer = await fetch(server.url + path, { method, headers, body });
  const text = await answer.text();
  return { status: answer.status, headers: answer.headers, ...(text && JSON.parse(text)) };
}
const upload = (sub, body, more) => ask("POST", "/images", { sub, body, ...more });
const postJson = (path, json, more) => ask("POST", path, { body: JSON.stringify(json), type: "application/json", ...more });
const together = (count, act) => Promise.all(Array.from({ length: count }, (_, at) => act(at)));
const tally = (answers) => Object.entries(Object.groupBy(answers, ({ status, code }) => code ?? status)).map(([name, { length }]) => [name, length]);
const outcomes = (answers) => Object.fromEntries(tally(answers));

const counts = { rounds: ROUNDS, raced: 0, claimedInTime: 0, claimedTooLate: 0, lost: 0, leaked: 0, double: 0 };
/** What the stores must contain in the end: key -> bytes. */
const kept = new Map();
const keep = (key, bytes) => kept.set(key, bytes);

/** Waits until the stores contain exactly `kept`; counts the differences. */
async function settle(seconds = SETTLED_S) {
  const isSettled = () => {
    const [objects, rows] = [server.objects(), server.rows()];
    return objects.size === kept.size && rows.length === kept.size;
  };
  const deadline = Date.now() + seconds * 1000;
  while (!isSettled() && Date.now() < deadline) await sleep(300);
  const [objects, rows] = [server.objects(), server.rows().map(({ key }) => key)];
  counts.lost += [...kept].filter(([key, bytes]) => !objects.get(key)?.equals(bytes) || !rows.includes(key)).length;
  counts.leaked += new Set([...objects.keys(), ...rows].filter((key) => !kept.has(key))).size;
  counts.double += rows.length - new Set(rows).size;
}

afterEach(async (t) => {
  await settle();
  report(t, "races", counts);
  assert.deepEqual([counts.lost, counts.leaked, counts.double], [0, 0, 0], "lost, leaked, double");
});

test("twenty concurrent uploads of the same bytes get one 201 and 200s for the same image, also after a restart", { timeout: 1_500_000 }, async () => {
  for (let round = 0; round < ROUNDS; round += 1) {
    const [sub, bytes] = [`same-${round}`, gif(++pictures)];
    const all = await together(AT_ONCE, () => upload(sub, bytes));
    counts.raced += all.length;
    assert.deepEqual(outcomes(all), { 200: AT_ONCE - 1, 201: 1 });
    assert.equal(new Set(all.map(({ data }) => `${data.key} ${data.imageId}`)).size, 1, "all answers name the same");
    keep(all[0].data.key, bytes);
    const mine = (list) => list.filter((key) => key.startsWith(`users/${sub}/`)).length;
    assert.deepEqual([mine([...server.objects().keys()]), mine(server.rows().map(({ key }) => key))], [1, 1]);
  }
  await server.restart();
  const [key, bytes] = [...kept].at(-1);
  const again = await upload(`same-${ROUNDS - 1}`, bytes);
  assert.deepEqual([again.status, again.data.key], [200, key], "an upload after the restart gets the same key");
});

test("concurrent uploads get 201 exactly as often as the daily quota allows, and QUOTA_EXCEEDED after that", { timeout: 1_500_000 }, async () => {
  for (let round = 0; round < ROUNDS; round += 1) {
    const own = Array.from({ length: DAILY_COUNT + AT_ONCE }, () => gif(++pictures));
    const all = await Promise.all(own.map((bytes) => retryWhileBusy(() => upload(`limit-${round}`, bytes))));
    counts.raced += all.length;
    assert.deepEqual(outcomes(all), { 201: DAILY_COUNT, QUOTA_EXCEEDED: AT_ONCE });
    for (const [at, { data }] of all.entries()) if (data) keep(data.key, own[at]);
  }
});

test("of concurrent uploads with one ticket one gets 201 and the others TICKET_SPENT, also after a restart", { timeout: 1_500_000 }, async () => {
  const spent = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const { data } = await postJson("/uploads/tickets", {}, { sub: `ticket-${round}` });
    const own = Array.from({ length: AT_ONCE }, () => gif(++pictures));
    const all = await Promise.all(own.map((bytes) => upload(undefined, bytes, { token: data.ticket })));
    counts.raced += all.length;
    assert.deepEqual(outcomes(all), { 201: 1, TICKET_SPENT: AT_ONCE - 1 });
    const won = all.findIndex(({ status }) => status === 201);
    keep(all[won].data.key, own[won]);
    spent.push(data.ticket);
  }
  await server.restart();
  for (const token of spent) assert.equal((await upload(undefined, gif(++pictures), { token })).code, "TICKET_SPENT");
});

test("concurrent claims of an expiring guest image succeed once or get IMAGE_NOT_FOUND", { timeout: 1_500_000 }, async () => {
  const claims = async (afterMs) => {
    const bytes = gif(++pictures);
    const { data } = await upload(`guest-${pictures}`, bytes, { role: "GUEST" });
    await sleep(Math.max(0, Date.parse(data.expiresAt) - Date.now() + afterMs));
    const all = await together(4, (at) => postJson("/images/metadata", { key: data.key, userId: `keeper-${at}` }, { sub: "platform", role: "SERVICE" }));
    counts.raced += all.length;
    const won = all.filter(({ status }) => status === 201);
    assert.ok(won.length <= 1, "claimed more than once");
    const others = all.filter(({ status }) => status !== 201).map(({ code }) => code);
    const allowed = won.length ? ["IMAGE_ALREADY_REGISTERED"] : ["IMAGE_NOT_FOUND"];
    assert.ok(others.every((code) => allowed.includes(code)), others.join());
    counts[won.length ? "claimedInTime" : "claimedTooLate"] += 1;
    if (won.length) keep(data.key, bytes);
  };
  for (let round = 0; round < ROUNDS; round += 1) await Promise.all(CLAIMS_MS.map(claims));
  assert.ok(counts.claimedInTime > 0 && counts.claimedTooLate > 0, `${counts.claimedInTime} in time, ${counts.claimedTooLate} too late`);
});

test("concurrent uploads and deletions of the same image leave both object and row, or neither", { timeout: 1_500_000 }, async () => {
  for (let round = 0; round < ROUNDS; round += 1) {
    const [sub, bytes] = [`deleter-${round}`, gif(++pictures)];
    const { data } = await upload(sub, bytes);
    const remove = () => ask("DELETE", `/images/${data.imageId}`, { sub });
    const all = await Promise.all([...Array(4)].flatMap(() => [upload(sub, bytes), remove()]));
    counts.raced += all.length;
    assert.ok(all.some(({ message }) => message === "delete_image_success"));
    for (const { status, code } of all) assert.ok(status < 300 || ["IMAGE_NOT_FOUND", "BUSY"].includes(code), `${status} ${code}`);
    // An upload after all others gets a consistent answer.
    const last = await upload(sub, bytes);
    assert.ok([200, 201].includes(last.status), last.code);
    keep(last.data.key, bytes);
    const served = await fetch(`${server.url}/${last.data.key}`);
    assert.deepEqual(Buffer.from(await served.arrayBuffer()), bytes);
  }
});

test("a banned user gets USER_BANNED for concurrent uploads, also after a restart, and the audit log has one ban", { timeout: 1_500_000 }, async () => {
  const disguise = (word) => upload("mallory", `<svg xmlns="${word}"></svg>`, { type: "image/jpeg" });
  const all = await Promise.all(["a", "b", "c", "d", "e"].map(disguise));
  counts.raced += all.length;
  assert.ok(all.every(({ code }) => ["INVALID_FILE_SIGNATURE", "USER_BANNED"].includes(code)));
  const rejected = await together(AT_ONCE, () => upload("mallory", gif(++pictures)));
  await server.restart();
  rejected.push(...(await together(AT_ONCE, () => upload("mallory", gif(++pictures)))));
  counts.raced += rejected.length;
  assert.deepEqual(outcomes(rejected), { USER_BANNED: 2 * AT_ONCE });
  await until(() => server.rows("events").length > 0, 30, "the ban is in the audit log");
  assert.equal(server.rows("events").filter(({ kind }) => kind === "ban").length, 1, "one ban");
});
