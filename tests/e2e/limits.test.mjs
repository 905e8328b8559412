// Limits, strikes, bans and expiry on the built Worker: many at once, told truly, and remembered when
// everything is killed and started again.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";

import { patiently } from "./patience.mjs";
import { hs256, startServer } from "./server.mjs";

const jpeg = readFileSync(new URL("../fixtures/jpeg/baseline-420.jpg", import.meta.url));
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** A GIF of one pixel in a colour of its own. */
function pixel(number) {
  const color = [number >> 16, number >> 8, number].map((byte) => byte & 255);
  const head = [...Buffer.from("GIF89a"), 1, 0, 1, 0, 0x80, 0, 0, ...color, 255, 255, 255];
  return Buffer.from([...head, 0x2c, 0, 0, 0, 0, 1, 0, 1, 0, 0, 2, 2, 0x44, 1, 0, 0x3b]);
}

let addresses = 0;
/** An address that nobody has used yet. */
const nextAddress = () => `198.18.${++addresses >> 8}.${addresses & 255}`;

async function post(server, body, { sub, token, type = "image/gif", address = nextAddress(), ...claims } = {}) {
  const bearer = token ?? server.token({ sub, ...claims });
  const answer = await fetch(`${server.url}/images`, {
    method: "POST",
    headers: { "Content-Type": type, Authorization: `Bearer ${bearer}`, "CF-Connecting-IP": address },
    body,
  });
  const json = await answer.json();
  return { status: answer.status, code: json.code, json, data: json.data, headers: answer.headers };
}

/** `"user";r=5;t=10, "day";…` as `{ user: { r: 5, t: 10 }, … }`. */
function limits(headers, field = "ratelimit") {
  const items = headers.get(field).split(", ").map((item) => {
    const [name, ...parameters] = item.split(";");
    const pairs = parameters.map((parameter) => parameter.split("="));
    return [JSON.parse(name), Object.fromEntries(pairs.map(([key, value]) => [key, Number(value)]))];
  });
  return Object.fromEntries(items);
}

/** Waits until it holds, for at most so many seconds. */
async function until(holds, seconds = 20) {
  const deadline = Date.now() + seconds * 1000;
  while (!(await holds())) {
    assert.ok(Date.now() < deadline, "did not come about in time");
    await sleep(200);
  }
}

const mine = (server, sub) => [...server.objects().keys()].filter((key) => key.startsWith(`users/${sub}/`));

describe("many at once", () => {
  let server;
  before(async () => {
    server = await startServer({ vars: { DAILY_COUNT: 100, RATE_PER_MINUTE: 100_000, IP_PER_MINUTE: 100_000 } });
  });
  after(() => server?.stop());

  test("of a thousand uploads exactly as many are taken as may be", async () => {
    const all = await Promise.all(Array.from({ length: 1000 }, (_, at) => patiently(() => post(server, pixel(at), { sub: "many" }))));
    const counts = {};
    for (const { status, code } of all) counts[code ?? status] = (counts[code ?? status] ?? 0) + 1;
    assert.deepEqual(counts, { 201: 100, QUOTA_EXCEEDED: 900 });
    const taken = new Set(all.filter(({ status }) => status === 201).map(({ data }) => data.key));
    assert.equal(taken.size, 100);
    assert.deepEqual(new Set(mine(server, "many")), taken);
    const rows = server.rows().filter(({ owner }) => owner === "many");
    assert.deepEqual(new Set(rows.map(({ key }) => key)), taken);

    const refused = all.find(({ status }) => status === 429);
    const midnightS = 86_400 - (Date.now() / 1000) % 86_400;
    assert.ok(Math.abs(Number(refused.headers.get("retry-after")) - midnightS) < 120);
    assert.equal(limits(refused.headers).day.r, 0);
  });

  test("the same bytes at the same time are one picture, and charged once", async () => {
    const all = await Promise.all(Array.from({ length: 20 }, () => post(server, jpeg, { sub: "same", type: "image/jpeg" })));
    assert.deepEqual(all.map(({ status }) => status).sort(), [...Array(19).fill(200), 201]);
    assert.equal(new Set(all.map(({ data }) => data.key)).size, 1);
    assert.equal(new Set(all.map(({ data }) => data.imageId)).size, 1);
    assert.equal(mine(server, "same").length, 1);
    const next = await post(server, pixel(1), { sub: "same" });
    assert.equal(limits(next.headers).day.r, 98);
  });
});

describe("requests a minute", () => {
  const list = async (server, count, claims, address) => {
    const headers = { ...(claims && { Authorization: `Bearer ${server.token(claims)}` }), "CF-Connecting-IP": address };
    const statuses = [];
    for (let at = 0; at < count; at += 10) {
      const some = Array.from({ length: 10 }, () => fetch(`${server.url}/${claims ? "images" : "auth/guest-token"}`, { headers }));
      statuses.push(...(await Promise.all(some)).map(({ status }) => status));
    }
    return statuses.filter((status) => status === 200).length;
  };
  const started = async (t, vars) => {
    const server = await startServer({ vars });
    t.after(() => server.stop());
    return server;
  };

  test("IP_PER_MINUTE has effect above its default, and a back end has a limit of its own", async (t) => {
    const server = await started(t, { IP_PER_MINUTE: 300, SERVICE_PER_MINUTE: 20 });
    const [beganMs, passed] = [Date.now(), await list(server, 400, undefined, nextAddress())];
    const came = Math.ceil((Date.now() - beganMs) / 200);
    assert.ok(passed >= 300 && passed <= 300 + came, String(passed));
    const backEnd = await list(server, 40, { sub: "shop", role: "SERVICE" }, nextAddress());
    assert.ok(backEnd >= 20 && backEnd < 40, String(backEnd));
  });

  test("by default a client IP has 120 and a back end more than that", async (t) => {
    const server = await started(t, {});
    const [beganMs, passed] = [Date.now(), await list(server, 200, undefined, nextAddress())];
    const came = Math.ceil((Date.now() - beganMs) / 500);
    assert.ok(passed >= 120 && passed <= 120 + came, String(passed));
    assert.equal(await list(server, 500, { sub: "shop", role: "SERVICE" }, nextAddress()), 500);
  });

  test("the flood limit of a client IP holds for everybody", async (t) => {
    const server = await started(t, {});
    // Genuine and expired: answered without a ledger, so that all of them fit into one minute.
    const headers = { Authorization: `Bearer ${server.token({}, -60)}` };
    const ask = async (address) => (await fetch(`${server.url}/images`, { headers: { ...headers, "CF-Connecting-IP": address } })).status;
    // The binding counts in minutes of the clock.
    await sleep(60_000 - (Date.now() % 60_000));
    const [address, counts] = [nextAddress(), {}];
    for (let at = 0; at < 1250; at += 25) {
      for (const status of await Promise.all(Array.from({ length: 25 }, () => ask(address)))) counts[status] = (counts[status] ?? 0) + 1;
    }
    assert.deepEqual(counts, { 401: 1200, 429: 50 });
    assert.equal(await ask(nextAddress()), 401, "from another");
  });
});

describe("one by one", () => {
  let server;
  before(async () => {
    const vars = { RATE_PER_MINUTE: 6, STRIKES_TO_BAN: 3, BAN_S: 30, PENDING_S: 2, IP_PER_MINUTE: 10 };
    server = await startServer({ vars });
  });
  after(() => server?.stop());

  test("what the fields tell is true, and Retry-After is enough", async () => {
    const beganMs = Date.now();
    const lefts = [];
    for (let at = 0; at < 6; at += 1) {
      const answer = await post(server, pixel(at), { sub: "steady" });
      assert.equal(answer.status, 201, answer.code);
      assert.deepEqual(limits(answer.headers, "ratelimit-policy").user, { q: 6, w: 60 });
      const { user, day } = limits(answer.headers);
      assert.ok(user.t >= 1 && user.t <= 60);
      lefts.push([user.r, day.r]);
    }
    // A token comes every ten seconds, also while they are sent.
    const came = Math.ceil((Date.now() - beganMs) / 10_000);
    assert.ok(lefts.every(([left], at) => left >= 5 - at && left <= 5 - at + came), JSON.stringify(lefts));
    assert.deepEqual(lefts.map(([, day]) => day), [999, 998, 997, 996, 995, 994]);

    let refused = await post(server, pixel(100), { sub: "steady" });
    for (let at = 101; refused.status === 201; at += 1) refused = await post(server, pixel(at), { sub: "steady" });
    assert.equal(refused.code, "RATE_LIMITED");
    assert.equal(refused.status, 429);
    assert.equal(limits(refused.headers).user.r, 0);
    const afterS = Number(refused.headers.get("retry-after"));
    assert.ok(afterS >= 1 && afterS <= 10, String(afterS));
    await sleep(afterS * 1000);
    assert.equal((await post(server, pixel(9), { sub: "steady" })).status, 201);
    assert.equal((await post(server, pixel(10), { sub: "steady" })).code, "RATE_LIMITED");
  });

  test("a client IP has its own limit for guests, and none for users", async () => {
    const address = nextAddress();
    const [beganMs, all] = [Date.now(), []];
    for (let at = 0; at < 12 || all.at(-1).status === 201; at += 1) all.push(await post(server, pixel(at), { sub: `guest-u${at}`, role: "GUEST", address }));
    const passed = all.filter(({ status }) => status === 201).length;
    // A token comes every six seconds, also while they are sent.
    const came = Math.ceil((Date.now() - beganMs) / 6_000);
    assert.ok(passed >= 10 && passed <= 10 + came, String(passed));
    assert.equal(all.at(-1).code, "RATE_LIMITED");
    assert.equal((await post(server, pixel(1), { sub: "guest-u11", role: "GUEST" })).status, 201, "from another");
    assert.equal((await post(server, pixel(1), { sub: "u12", address })).status, 201, "a user from the same");
  });

  test("disguises ban, a retry is the same deed, and the ban outlives a crash", async () => {
    const disguise = (word) => post(server, `<svg xmlns="${word}"></svg>`, { sub: "mallory", type: "image/jpeg" });
    for (const word of ["a", "a", "a", "b"]) assert.equal((await disguise(word)).code, "INVALID_FILE_SIGNATURE");
    assert.equal((await post(server, pixel(1), { sub: "mallory" })).status, 201, "two deeds do not ban yet");
    await disguise("c");
    const banned = await post(server, pixel(2), { sub: "mallory" });
    assert.equal(banned.code, "USER_BANNED");
    assert.equal(banned.status, 403);
    assert.ok(Number(banned.headers.get("retry-after")) <= 30);
    await until(() => server.rows("events").some(({ subject }) => subject === "user:mallory"));
    const [event] = server.rows("events");
    assert.deepEqual([event.kind, event.reason], ["ban", "disguise"]);
    assert.ok(event.until_ms > Date.now());

    await post(server, pixel(1), { sub: "counted" });
    await server.restart();
    assert.equal((await post(server, pixel(2), { sub: "mallory" })).code, "USER_BANNED");
    const counted = await post(server, pixel(2), { sub: "counted" });
    assert.equal(limits(counted.headers).day.r, 998, "what was used is remembered, too");
    await until(async () => (await post(server, pixel(3), { sub: "mallory" })).status === 201, 40);
  });

  test("tokens that only an attacker makes ban their client IP, badly signed ones do not, and users pass the ban", async () => {
    const address = nextAddress();
    for (const sub of ["a", "b", "c", "d"]) {
      const token = hs256("a secret of somebody else, but as long as ours", { sub }, 300);
      assert.equal((await post(server, pixel(1), { token, address })).code, "TOKEN_INVALID");
    }
    const unsigned = (sub) => [{ alg: "none" }, { sub, exp: 9_999_999_999 }].map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".") + ".";
    for (const sub of ["a", "b", "c"]) assert.equal((await post(server, pixel(1), { token: unsigned(sub), address })).code, "TOKEN_INVALID");
    assert.equal((await post(server, pixel(1), { token: unsigned("d"), address })).code, "USER_BANNED");
    assert.equal((await post(server, pixel(1), { sub: "guest-9", role: "GUEST", address })).code, "USER_BANNED");
    assert.equal((await post(server, pixel(1), { sub: "honest", address })).status, 201);
    assert.equal((await post(server, pixel(2), { sub: "guest-9", role: "GUEST" })).status, 201);
    // This is a developer's own machine, where this request comes from.
    for (let at = 0; at < 9; at += 1) {
      const answer = await fetch(`${server.url}/images`, { headers: { Authorization: `Bearer ${unsigned(`l${at}`)}` } });
      assert.equal((await answer.json()).code, "TOKEN_INVALID");
    }
  });

  test("what a guest uploads and nobody claims goes away, also over a crash", async () => {
    const first = await post(server, pixel(1), { sub: "guest-1", role: "GUEST" });
    assert.equal(first.status, 201);
    assert.equal(first.data.imageId, null);
    assert.ok(Date.parse(first.data.expiresAt) - Date.parse(first.data.uploadedAt) >= 2000);
    assert.equal(mine(server, "guest-1").length, 1);
    await until(() => mine(server, "guest-1").length === 0);

    assert.equal((await post(server, pixel(2), { sub: "guest-2", role: "GUEST" })).status, 201);
    await server.restart();
    await until(() => mine(server, "guest-2").length === 0, 30);
    assert.equal(server.rows().filter(({ owner }) => owner.startsWith("guest-")).length, 0);
  });
});
