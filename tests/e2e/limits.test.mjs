// Limits, strikes, bans and expiry on the built Worker: exact under concurrency, reported in headers, and durable over a kill
// and a restart. The groups run concurrently, each with a server, because most of the time they wait for limits to end.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";

import { retryWhileBusy } from "./retry.mjs";
import { hs256, startServer } from "./server.mjs";

const jpeg = readFileSync(new URL("../fixtures/jpeg/baseline-420.jpg", import.meta.url));
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** A GIF of one pixel in the colour `number`. */
function pixel(number) {
  const color = [number >> 16, number >> 8, number].map((byte) => byte & 255);
  const head = [...Buffer.from("GIF89a"), 1, 0, 1, 0, 0x80, 0, 0, ...color, 255, 255, 255];
  return Buffer.from([...head, 0x2c, 0, 0, 0, 0, 1, 0, 1, 0, 0, 2, 2, 0x44, 1, 0, 0x3b]);
}

const DAY_MS = 86_400_000;
/** Time that 1,250 requests take at most. */
const FLOOD_MS = 40_000;

let addresses = 0;
/** A client IP that no test has used. */
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

/** Waits until `holds()` is true, for at most `seconds`. */
async function until(holds, seconds = 20) {
  const deadline = Date.now() + seconds * 1000;
  while (!(await holds())) {
    assert.ok(Date.now() < deadline, `not true after ${seconds} s: ${holds}`);
    await sleep(200);
  }
}

const mine = (server, sub) => [...server.objects().keys()].filter((key) => key.startsWith(`users/${sub}/`));

describe("limits", { concurrency: true }, () => {
  describe("concurrent uploads", { concurrency: 1 }, () => {
    let server;
    before(async () => {
      server = await startServer({ vars: { DAILY_COUNT: 100, RATE_PER_MINUTE: 100_000, IP_PER_MINUTE: 100_000 } });
    });
    after(() => server?.stop());

    test("of a thousand concurrent uploads with a daily quota of 100 exactly 100 get 201 and 900 QUOTA_EXCEEDED", async () => {
      // At midnight the quota begins again.
      const leftMs = DAY_MS - (Date.now() % DAY_MS);
      if (leftMs < 120_000) await sleep(leftMs);
      const all = await Promise.all(Array.from({ length: 1000 }, (_, at) => retryWhileBusy(() => post(server, pixel(at), { sub: "many" }))));
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

    test("twenty concurrent uploads of the same bytes are one image and count once against the quota", async () => {
      const all = await Promise.all(Array.from({ length: 20 }, () => post(server, jpeg, { sub: "same", type: "image/jpeg" })));
      assert.deepEqual(all.map(({ status }) => status).sort(), [...Array(19).fill(200), 201]);
      assert.equal(new Set(all.map(({ data }) => data.key)).size, 1);
      assert.equal(new Set(all.map(({ data }) => data.imageId)).size, 1);
      assert.equal(mine(server, "same").length, 1);
      const next = await post(server, pixel(1), { sub: "same" });
      assert.equal(limits(next.headers).day.r, 98);
    });
  });

  describe("requests per minute", { concurrency: true }, () => {
    let server;
    before(async () => {
      server = await startServer({ vars: { GUEST_TOKENS_PER_HOUR: 10_000 } });
    });
    after(() => server?.stop());

    const list = async (count, claims, address) => {
      const headers = { ...(claims && { Authorization: `Bearer ${server.token(claims)}` }), "CF-Connecting-IP": address };
      const statuses = [];
      for (let at = 0; at < count; at += 10) {
        const some = Array.from({ length: 10 }, () => fetch(`${server.url}/${claims ? "images" : "auth/guest-token"}`, { headers }));
        statuses.push(...(await Promise.all(some)).map(({ status }) => status));
      }
      return statuses.filter((status) => status === 200).length;
    };

    test("by default a client IP gets 120 requests a minute and a back end more than 500", async () => {
      const [beganMs, passed] = [Date.now(), await list(200, undefined, nextAddress())];
      const came = Math.ceil((Date.now() - beganMs) / 500);
      assert.ok(passed >= 120 && passed <= 120 + came, String(passed));
      assert.equal(await list(500, { sub: "shop", role: "SERVICE" }, nextAddress()), 500);
    });

    test("the flood limit admits 1,200 requests a minute from one client IP, also with tokens", async () => {
      // An expired token is rejected without a ledger, so that 1,250 requests fit into one minute.
      const headers = { Authorization: `Bearer ${server.token({}, -60)}` };
      const ask = async (address) => (await fetch(`${server.url}/images`, { headers: { ...headers, "CF-Connecting-IP": address } })).status;
      // The rate-limit binding counts per minute of the clock.
      const leftMs = 60_000 - (Date.now() % 60_000);
      if (leftMs < FLOOD_MS) await sleep(leftMs);
      const [address, counts] = [nextAddress(), {}];
      for (let at = 0; at < 1250; at += 25) {
        for (const status of await Promise.all(Array.from({ length: 25 }, () => ask(address)))) counts[status] = (counts[status] ?? 0) + 1;
      }
      assert.deepEqual(counts, { 401: 1200, 429: 50 });
      assert.equal(await ask(nextAddress()), 401, "from another client IP");
    });
  });

  describe("sequential uploads", { concurrency: 1 }, () => {
    let server;
    before(async () => {
      const vars = { RATE_PER_MINUTE: 6, STRIKES_TO_BAN: 3, BAN_S: 30, PENDING_S: 2, IP_PER_MINUTE: 10 };
      server = await startServer({ vars });
    });
    after(() => server?.stop());

    test("RateLimit has the remaining requests, and an upload after Retry-After gets 201", async () => {
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
      // The bucket refills one token every ten seconds, also during the uploads.
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

    test("the limit of a client IP applies to guests and not to users", async () => {
      const address = nextAddress();
      const [beganMs, all] = [Date.now(), []];
      for (let at = 0; at < 12 || all.at(-1).status === 201; at += 1) all.push(await post(server, pixel(at), { sub: `guest-u${at}`, role: "GUEST", address }));
      const passed = all.filter(({ status }) => status === 201).length;
      // The bucket refills one token every six seconds, also during the uploads.
      const came = Math.ceil((Date.now() - beganMs) / 6_000);
      assert.ok(passed >= 10 && passed <= 10 + came, String(passed));
      assert.equal(all.at(-1).code, "RATE_LIMITED");
      assert.equal((await post(server, pixel(1), { sub: "guest-u11", role: "GUEST" })).status, 201, "from another client IP");
      assert.equal((await post(server, pixel(1), { sub: "u12", address })).status, 201, "a user from the same client IP");
    });

    test("three different disguised files ban a user, a retry counts once, and a kill ends neither the ban nor the expiry of guest images", async () => {
      const disguise = (word) => post(server, `<svg xmlns="${word}"></svg>`, { sub: "mallory", type: "image/jpeg" });
      for (const word of ["a", "a", "a", "b"]) assert.equal((await disguise(word)).code, "INVALID_FILE_SIGNATURE");
      assert.equal((await post(server, pixel(1), { sub: "mallory" })).status, 201, "two strikes do not ban");
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
      assert.equal((await post(server, pixel(2), { sub: "guest-2", role: "GUEST" })).status, 201);
      await server.restart();
      assert.equal((await post(server, pixel(2), { sub: "mallory" })).code, "USER_BANNED");
      const counted = await post(server, pixel(2), { sub: "counted" });
      assert.equal(limits(counted.headers).day.r, 998, "the used quota survives the kill as well");
      await until(() => mine(server, "guest-2").length === 0, 30);
      await until(async () => (await post(server, pixel(3), { sub: "mallory" })).status === 201, 40);
    });

    test("unsigned tokens ban their client IP, wrongly signed ones do not, and users are admitted from a banned IP", async () => {
      const address = nextAddress();
      for (const sub of ["a", "b", "c", "d"]) {
        const token = hs256("the secret of another deployment, as long as ours", { sub }, 300);
        assert.equal((await post(server, pixel(1), { token, address })).code, "TOKEN_INVALID");
      }
      const unsigned = (sub) => [{ alg: "none" }, { sub, exp: 9_999_999_999 }].map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".") + ".";
      for (const sub of ["a", "b", "c"]) assert.equal((await post(server, pixel(1), { token: unsigned(sub), address })).code, "TOKEN_INVALID");
      assert.equal((await post(server, pixel(1), { token: unsigned("d"), address })).code, "USER_BANNED");
      assert.equal((await post(server, pixel(1), { sub: "guest-9", role: "GUEST", address })).code, "USER_BANNED");
      assert.equal((await post(server, pixel(1), { sub: "honest", address })).status, 201);
      assert.equal((await post(server, pixel(2), { sub: "guest-9", role: "GUEST" })).status, 201);
      // A loopback client IP, as on a developer's machine, is never banned.
      for (let at = 0; at < 9; at += 1) {
        const answer = await fetch(`${server.url}/images`, { headers: { Authorization: `Bearer ${unsigned(`l${at}`)}` } });
        assert.equal((await answer.json()).code, "TOKEN_INVALID");
      }
    });

    test("an unclaimed guest image is removed after PENDING_S", async () => {
      const first = await post(server, pixel(1), { sub: "guest-1", role: "GUEST" });
      assert.equal(first.status, 201);
      assert.equal(typeof first.data.imageId, "number");
      assert.ok(Date.parse(first.data.expiresAt) - Date.parse(first.data.uploadedAt) >= 2000);
      assert.equal(mine(server, "guest-1").length, 1);
      await until(() => mine(server, "guest-1").length === 0);
      assert.equal(server.rows().filter(({ owner }) => owner.startsWith("guest-")).length, 0);
    });
  });

  describe("guests and new accounts", { concurrency: 1 }, () => {
    let server;
    before(async () => {
      server = await startServer({ vars: { IP_DAILY_COUNT: 4, DAILY_COUNT_TOTAL: 6 } });
    });
    after(() => server?.stop());

    const ask = async (method, path, { token, json, address } = {}) => {
      const headers = { "Content-Type": "application/json", "CF-Connecting-IP": address, ...(token && { Authorization: `Bearer ${token}` }) };
      const answer = await fetch(server.url + path, { method, headers, body: json && JSON.stringify(json) });
      return { status: answer.status, retryAfter: answer.headers.get("retry-after"), ...(await answer.json()) };
    };

    test("share a budget per client IP, which claims and sign-ups do not enlarge, and the deployment has a ceiling", async () => {
      const address = nextAddress();
      const guestToken = async () => (await ask("GET", "/auth/guest-token", { address })).data.token;
      const [first, second] = [await guestToken(), await guestToken()];
      const claimed = await post(server, pixel(1), { token: first, address });
      assert.equal(claimed.status, 201, claimed.json.detail);
      const user = server.token({ sub: "claimant" });
      const claim = await ask("POST", "/images/metadata", { token: user, address, json: { key: claimed.data.key, guestToken: first } });
      assert.equal(claim.status, 201, claim.detail);
      const other = await post(server, pixel(2), { token: second, address });
      const account = await ask("POST", "/users/signup", { address, json: { email: "new@example.org", password: "correct horse battery", imageKey: other.data.key, guestToken: second } });
      assert.equal(account.status, 201, account.detail);
      const { accessToken } = account.data;
      assert.equal((await post(server, "no picture", { token: accessToken, address })).status, 400, "not charged");
      assert.equal((await post(server, pixel(3), { token: accessToken, address })).status, 201);
      const { ticket } = (await ask("POST", "/uploads/tickets", { token: accessToken, address, json: {} })).data;
      assert.equal((await post(server, pixel(4), { token: ticket, address })).status, 201);
      assert.equal((await post(server, pixel(4), { token: accessToken, address })).status, 429, "charged before its bytes are known");
      for (const token of [accessToken, await guestToken()]) assert.equal((await post(server, pixel(5), { token, address })).code, "QUOTA_EXCEEDED");
      assert.equal(server.rows().length, 4, "what became permanent is the budget");

      assert.equal((await post(server, pixel(6), { token: accessToken })).status, 201, "from another client IP");
      assert.equal((await post(server, pixel(7), { sub: "platform" })).status, 201);
      await until(async () => (await post(server, pixel(8), { sub: "platform" })).code === "QUOTA_EXCEEDED", 60);
    });

    test("get 40 guest tokens an hour and client IP", async () => {
      const address = nextAddress();
      const codes = [];
      for (let at = 0; at < 42; at++) codes.push((await ask("GET", "/auth/guest-token", { address })).code ?? "issued");
      // The hour may end meanwhile.
      assert.ok(codes.filter((code) => code === "RATE_LIMITED").length <= 2);
      const last = await ask("GET", "/auth/guest-token", { address });
      if (last.code) assert.ok(Number(last.retryAfter) <= 3600);
      assert.ok(codes.slice(0, 40).every((code) => code === "issued"), codes.join(" "));
    });

    test("a permanent ban has no end", async () => {
      const token = server.token({ sub: "boss", role: "ADMIN" });
      const ban = await ask("POST", "/admin/api/bans", { token, address: nextAddress(), json: { account: "user:mallory", permanent: true, reason: "spam" } });
      assert.deepEqual([ban.status, ban.data.permanent, ban.data.bannedUntil], [201, true, "9999-12-31T23:59:59.999Z"]);
      const refused = await ask("GET", "/images", { token: server.token({ sub: "mallory" }), address: nextAddress() });
      assert.deepEqual([refused.code, refused.retryAfter], ["USER_BANNED", null]);
      await until(async () => (await ask("GET", "/admin/api/bans", { token, address: nextAddress() })).data.bans.some(({ permanent }) => permanent));
    });
  });
});
