// Many who want the same at the same moment, round after round on the running Worker: the last of a limit, a ticket, the same
// picture, a guest's picture that is about to go away, a picture that is being deleted. In the end nothing is lost, left
// behind or there twice, also when the server is killed in between. Single races stand in tests/e2e; here they are counted.
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";

import { gif } from "../e2e/pictures.mjs";
import { startServer } from "../e2e/server.mjs";
import { report, sleep, until } from "./trial.mjs";

const ROUNDS = Math.ceil(Number(process.env.FAULT_CYCLES ?? 8) / 2);
const AT_ONCE = 20;
const DAILY_COUNT = 60;
/** A guest's picture lives so long; claims come around its end, so many milliseconds after it. */
const PENDING_S = 3;
const CLAIMS_MS = [-1500, -600, -300, 0, 300];
/** An intent that came to nothing is looked for again by then, with time for a slow machine. */
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
  return { status: answer.status, ...(text && JSON.parse(text)) };
}
const upload = (sub, body, more) => ask("POST", "/images", { sub, body, ...more });
const postJson = (path, json, more) => ask("POST", path, { body: JSON.stringify(json), type: "application/json", ...more });
const together = (count, act) => Promise.all(Array.from({ length: count }, (_, at) => act(at)));
const tally = (answers) => Object.entries(Object.groupBy(answers, ({ status, code }) => code ?? status)).map(([name, { length }]) => [name, length]);
const told = (answers) => Object.fromEntries(tally(answers));

const counts = { rounds: ROUNDS, raced: 0, claimedInTime: 0, claimedTooLate: 0, lost: 0, leaked: 0, double: 0 };
/** What the stores must hold in the end: key -> bytes. */
const kept = new Map();
const keep = (key, bytes) => kept.set(key, bytes);

/** Until nothing is there but what is to be kept; counts what is not as it should be. */
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

test("the same bytes twenty times at once are one picture, also across a crash", { timeout: 1_500_000 }, async () => {
  for (let round = 0; round < ROUNDS; round += 1) {
    const [sub, bytes] = [`same-${round}`, gif(++pictures)];
    const all = await together(AT_ONCE, () => upload(sub, bytes));
    counts.raced += all.length;
    assert.deepEqual(told(all), { 200: AT_ONCE - 1, 201: 1 });
    assert.equal(new Set(all.map(({ data }) => `${data.key} ${data.imageId}`)).size, 1, "all answers name the same");
    keep(all[0].data.key, bytes);
    const mine = (list) => list.filter((key) => key.startsWith(`users/${sub}/`)).length;
    assert.deepEqual([mine([...server.objects().keys()]), mine(server.rows().map(({ key }) => key))], [1, 1]);
  }
  await server.restart();
  const [key, bytes] = [...kept].at(-1);
  const again = await upload(`same-${ROUNDS - 1}`, bytes);
  assert.deepEqual([again.status, again.data.key], [200, key], "remembered");
});

test("of a day's quota exactly as much is given as there is", { timeout: 1_500_000 }, async () => {
  for (let round = 0; round < ROUNDS; round += 1) {
    const own = Array.from({ length: DAILY_COUNT + AT_ONCE }, () => gif(++pictures));
    const all = await Promise.all(own.map((bytes) => upload(`limit-${round}`, bytes)));
    counts.raced += all.length;
    assert.deepEqual(told(all), { 201: DAILY_COUNT, QUOTA_EXCEEDED: AT_ONCE });
    for (const [at, { data }] of all.entries()) if (data) keep(data.key, own[at]);
  }
});

test("a ticket is spent once, also when the server is killed after it", { timeout: 1_500_000 }, async () => {
  const spent = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const { data } = await postJson("/uploads/tickets", {}, { sub: `ticket-${round}` });
    const own = Array.from({ length: AT_ONCE }, () => gif(++pictures));
    const all = await Promise.all(own.map((bytes) => upload(undefined, bytes, { token: data.ticket })));
    counts.raced += all.length;
    assert.deepEqual(told(all), { 201: 1, TICKET_SPENT: AT_ONCE - 1 });
    const won = all.findIndex(({ status }) => status === 201);
    keep(all[won].data.key, own[won]);
    spent.push(data.ticket);
  }
  await server.restart();
  for (const token of spent) assert.equal((await upload(undefined, gif(++pictures), { token })).code, "TICKET_SPENT");
});

test("a guest's picture that is claimed as it goes away is claimed once or gone", { timeout: 1_500_000 }, async () => {
  const claims = async (afterMs) => {
    const bytes = gif(++pictures);
    const { data } = await upload(`guest-${pictures}`, bytes, { role: "GUEST" });
    await sleep(Math.max(0, Date.parse(data.expiresAt) - Date.now() + afterMs));
    const all = await together(4, (at) => postJson("/images/metadata", { key: data.key, userId: `keeper-${at}` }, { sub: "platform", role: "SERVICE" }));
    counts.raced += all.length;
    const won = all.filter(({ status }) => status === 201);
    assert.ok(won.length <= 1, "twice");
    const others = all.filter(({ status }) => status !== 201).map(({ code }) => code);
    const allowed = won.length ? ["IMAGE_ALREADY_REGISTERED"] : ["IMAGE_NOT_FOUND"];
    assert.ok(others.every((code) => allowed.includes(code)), others.join());
    counts[won.length ? "claimedInTime" : "claimedTooLate"] += 1;
    if (won.length) keep(data.key, bytes);
  };
  for (let round = 0; round < ROUNDS; round += 1) await Promise.all(CLAIMS_MS.map(claims));
  assert.ok(counts.claimedInTime > 0 && counts.claimedTooLate > 0, `${counts.claimedInTime} in time, ${counts.claimedTooLate} too late`);
});

test("a picture that is deleted while the same is sent is there or not, never half", { timeout: 1_500_000 }, async () => {
  for (let round = 0; round < ROUNDS; round += 1) {
    const [sub, bytes] = [`deleter-${round}`, gif(++pictures)];
    const { data } = await upload(sub, bytes);
    const remove = () => ask("DELETE", `/images/${data.imageId}`, { sub });
    const all = await Promise.all([...Array(4)].flatMap(() => [upload(sub, bytes), remove()]));
    counts.raced += all.length;
    assert.ok(all.some(({ message }) => message === "delete_image_success"));
    for (const { status, code } of all) assert.ok(status < 300 || ["IMAGE_NOT_FOUND", "BUSY"].includes(code), `${status} ${code}`);
    // Who asks once all is over is told what is true.
    const last = await upload(sub, bytes);
    assert.ok([200, 201].includes(last.status), last.code);
    keep(last.data.key, bytes);
    const served = await fetch(`${server.url}/${last.data.key}`);
    assert.deepEqual(Buffer.from(await served.arrayBuffer()), bytes);
  }
});

test("who is shut out stays out when the server is killed, whatever is on its way", { timeout: 1_500_000 }, async () => {
  const disguise = (word) => upload("mallory", `<svg xmlns="${word}"></svg>`, { type: "image/jpeg" });
  const all = await Promise.all(["a", "b", "c", "d", "e"].map(disguise));
  counts.raced += all.length;
  assert.ok(all.every(({ code }) => ["INVALID_FILE_SIGNATURE", "USER_BANNED"].includes(code)));
  const shutOut = await together(AT_ONCE, () => upload("mallory", gif(++pictures)));
  await server.restart();
  shutOut.push(...(await together(AT_ONCE, () => upload("mallory", gif(++pictures)))));
  counts.raced += shutOut.length;
  assert.deepEqual(told(shutOut), { USER_BANNED: 2 * AT_ONCE });
  await until(() => server.rows("events").length > 0, 30, "the ban on record");
  assert.equal(server.rows("events").filter(({ kind }) => kind === "ban").length, 1, "one ban");
});
