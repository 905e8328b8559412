// Accounts on the built Worker: sign-up with and without an image, log-in, log-out, profiles, and attacks on them. Node's
// fetch stores no cookies, so the tests pass them on.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { gif } from "./pictures.mjs";
import { startServer } from "./server.mjs";

const PASSWORD = "correct horse 배터리";
const EVIL = `'; DROP TABLE users; --`;

let server;
let people = 0;
before(async () => {
  server = await startServer({ vars: { ALLOWED_ORIGINS: "https://the-form" } });
});
after(() => server.stop());

/** A new client IP, because each may send 120 requests a minute without a valid token. */
const address = () => `198.18.${8 + Math.floor(++people / 250)}.${people % 250}`;

async function ask(method, path, { token, json, cookie, from = address(), headers = {} } = {}) {
  const answer = await fetch(server.url + path, {
    method,
    headers: {
      ...(token ? { Authorization: `Bearer ${token}` } : {}),
      ...(cookie ? { Cookie: cookie } : {}),
      "Content-Type": "application/json",
      "CF-Connecting-IP": from,
      ...headers,
    },
    body: method === "POST" || method === "PATCH" ? JSON.stringify(json ?? {}) : undefined,
  });
  const cookies = answer.headers.getSetCookie();
  const [set] = cookies;
  const text = await answer.text();
  return { status: answer.status, headers: answer.headers, cookies, set, cookie: set?.split(";")[0], ...(text ? JSON.parse(text) : {}) };
}

async function signUp(more = {}) {
  const email = `user-${++people}@example.org`;
  const answer = await ask("POST", "/users/signup", { json: { email, password: PASSWORD, ...more } });
  assert.equal(answer.status, 201, answer.detail);
  return { email, id: answer.data.user.id, token: answer.data.accessToken, cookie: answer.cookie, device: answer.cookies[1].split(";")[0], answer };
}

const logIn = (email, password = PASSWORD, more = {}) => ask("POST", "/auth/login", { json: { email, password }, ...more });
const refresh = (cookie, more = {}) => ask("POST", "/auth/refresh_token", { cookie, ...more });

async function guestPicture() {
  const { data } = await ask("GET", "/auth/guest-token");
  const answer = await fetch(`${server.url}/images`, {
    method: "POST",
    headers: { Authorization: `Bearer ${data.token}`, "Content-Type": "image/gif", "CF-Connecting-IP": address() },
    body: gif(++people % 250),
  });
  return { guestToken: data.token, ...(await answer.json()).data };
}

test("sign-up, log-in, refresh and log-out succeed, and passwords and tokens are stored hashed only", async () => {
  const { email, id, token, cookie, answer } = await signUp({ nickname: "지민" });
  assert.equal(answer.message, "signup_success");
  assert.deepEqual(Object.keys(answer.data.payload), ["sub", "email", "role", "iat", "exp"]);
  const claims = JSON.parse(Buffer.from(token.split(".")[1], "base64url"));
  const { iss, sid, account_since: since, ...others } = claims;
  assert.ok(Math.abs(since - claims.iat) < 60, "the account is as old as its first token");
  assert.match(sid, /^[0-9a-f]{32}$/);
  assert.deepEqual(others, answer.data.payload);
  assert.equal(iss, "urn:the-form:images");
  assert.match(answer.set, /^__Host-refresh_token=[\w-]{64}; Max-Age=1209600; Path=\/; HttpOnly; Secure; SameSite=Strict$/);
  assert.equal((await ask("GET", "/images", { token })).status, 200);

  const again = await logIn(` ${email.toUpperCase()} `, PASSWORD, { token });
  assert.deepEqual([again.status, again.code, again.sub], [409, "ALREADY_LOGGED_IN", id]);
  assert.match(again.headers.get("content-type"), /^application\/problem\+json/);
  const login = await logIn(` ${email.toUpperCase()} `);
  assert.deepEqual([login.status, login.message, login.data.user.nickname], [200, "login_success", "지민"]);

  const next = await refresh(cookie);
  assert.deepEqual([next.status, next.message, next.data.payload.sub], [200, "refresh_token_success", id]);
  const out = await ask("POST", "/auth/logout", { cookie: next.cookie });
  assert.deepEqual([out.status, out.message], [200, "logout_success"]);
  assert.match(out.set, /^__Host-refresh_token=; Max-Age=0; Path=\/; HttpOnly; Secure; SameSite=Strict$/);
  assert.equal((await refresh(next.cookie)).code, "TOKEN_INVALID");
  assert.equal((await refresh(login.cookie)).status, 200, "another session stays valid");

  const kept = JSON.stringify([server.rows("users"), server.rows("refresh_families")]);
  assert.match(kept, /\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
  for (const secret of [PASSWORD, cookie.split("=")[1], token]) assert.ok(!kept.includes(secret));
  assert.ok(!server.log().includes(email));
});

test("a sign-up claims a guest image with the guest's token, once; other tokens get USER_MISMATCH", async () => {
  const { guestToken, key } = await guestPicture();
  const other = await guestPicture();
  const email = `claimer-${people}@example.org`;
  const claim = (json) => ask("POST", "/auth/signup", { json: { email, password: PASSWORD, ...json } });
  assert.equal((await claim({ imageKey: key })).code, "USER_MISMATCH");
  assert.equal((await claim({ imageKey: key, guestToken: other.guestToken })).code, "USER_MISMATCH");
  assert.equal((await claim({ imageKey: EVIL, guestToken })).code, "INVALID_IMAGE_URL");
  assert.equal(server.rows("users").some((row) => row.email === email), false, "a failed claim creates no account");

  const all = await Promise.all([claim({ imageKey: key, guestToken }), claim({ imageKey: key, guestToken })]);
  const [won, lost] = all.sort((a, b) => a.status - b.status);
  assert.deepEqual([won.status, lost.status, lost.code], [201, 409, "EMAIL_TAKEN"], "two equal sign-ups create one account");
  assert.equal(won.data.user.profileImageKey, key);
  assert.equal((await fetch(won.data.user.profileImageUrl)).status, 200);
  assert.equal(server.rows().find((row) => row.key === key).owner, won.data.user.id);
  const second = await claim({ email: `second-${people}@example.org`, imageKey: key, guestToken });
  assert.equal(second.code, "IMAGE_ALREADY_REGISTERED");
});

test("of concurrent sign-ups with one address one gets 201, the others EMAIL_TAKEN, and their guest images stay claimable", async () => {
  const email = `raced-${++people}@example.org`;
  const guests = await Promise.all(Array.from({ length: 6 }, guestPicture));
  const all = await Promise.all(
    guests.map(({ key, guestToken }) => ask("POST", "/users/signup", { json: { email, password: PASSWORD, imageKey: key, guestToken } })),
  );
  const won = all.filter(({ status }) => status === 201);
  assert.equal(won.length, 1);
  for (const lost of all.filter(({ status }) => status !== 201)) assert.deepEqual([lost.status, lost.code], [409, "EMAIL_TAKEN"]);
  assert.equal(server.rows("users").filter((row) => row.email === email).length, 1);
  assert.equal(server.rows("reservations").length, 0);
  const { id } = won[0].data.user;
  const owners = new Map(server.rows().map(({ key, owner }) => [key, owner]));
  const token = server.token({ sub: "claimer" });
  for (const [n, { key, guestToken }] of guests.entries()) {
    assert.equal(owners.get(key), all[n].status === 201 ? id : undefined, "no image belongs to an id without an account");
    const claimed = await ask("POST", "/images/metadata", { token, json: { key, guestToken } });
    assert.equal(claimed.status, all[n].status === 201 ? 409 : 201, claimed.detail);
  }
});

test("a reused refresh token revokes its family and is in the audit log", async () => {
  const { id, cookie } = await signUp();
  const next = await refresh(cookie);
  assert.equal(next.status, 200);
  assert.equal((await refresh(cookie)).code, "TOKEN_INVALID", "the reused token");
  assert.equal((await refresh(next.cookie)).code, "TOKEN_INVALID", "the latest token of the same family");
  const events = server.rows("events").filter(({ subject }) => subject === `user:${id}`);
  assert.deepEqual(events.map(({ kind, reason }) => [kind, reason]), [["signup", "without_picture"], ["revoke", "refresh_token_reused"]]);
});

test("of concurrent refreshes with one token one succeeds, and the family is revoked", async () => {
  const { cookie } = await signUp();
  const all = await Promise.all(Array.from({ length: 8 }, () => refresh(cookie)));
  const won = all.filter(({ status }) => status === 200);
  assert.equal(won.length, 1, all.map(({ status, code }) => code ?? status).join());
  for (const { code } of all.filter(({ status }) => status !== 200)) assert.equal(code, "TOKEN_INVALID");
  assert.equal((await refresh(won[0].cookie)).code, "TOKEN_INVALID");
});

test("a log-in never continues the family of a cookie that is sent with it", async () => {
  const eve = await signUp();
  const ann = await signUp();
  const login = await logIn(ann.email, PASSWORD, { cookie: eve.cookie });
  assert.notEqual(login.cookie, eve.cookie);
  assert.notEqual(login.cookie.slice(0, 41), eve.cookie.slice(0, 41), "the family is a new one");
  assert.equal((await refresh(eve.cookie)).data.user.id, eve.id);
  for (const garbled of ["__Host-refresh_token=x", `__Host-refresh_token=${"A".repeat(64)}`, `__Host-refresh_token=${EVIL}`]) {
    assert.equal((await refresh(garbled)).code, "TOKEN_INVALID");
  }
  assert.equal((await refresh("")).code, "TOKEN_MISSING");
  const unprefixed = (await signUp()).cookie.replace("__Host-", "");
  assert.equal((await refresh(unprefixed)).code, "TOKEN_MISSING", "a cookie without the __Host- prefix is ignored, because a sibling host could have set it");
});

test("requests with the cookie from other origins or as form posts are rejected", async () => {
  const { cookie } = await signUp();
  for (const origin of ["https://evil.example", "https://the-form.evil.example", "null"]) {
    for (const path of ["/auth/refresh_token", "/auth/logout"]) {
      const answer = await ask("POST", path, { cookie, headers: { Origin: origin } });
      assert.equal(answer.code, "ROLE_NOT_ALLOWED", `${origin} ${path}`);
      assert.equal(answer.headers.get("access-control-allow-origin"), null);
    }
  }
  const form = await ask("POST", "/auth/refresh_token", { cookie, headers: { "Content-Type": "text/plain" } });
  assert.equal(form.code, "MALFORMED_REQUEST");
  const preflight = await ask("OPTIONS", "/auth/refresh_token", { headers: { Origin: "https://the-form" } });
  assert.equal(preflight.headers.get("access-control-allow-credentials"), "true");
  const allowed = await refresh(cookie, { headers: { Origin: "https://the-form" } });
  assert.deepEqual([allowed.status, allowed.headers.get("access-control-allow-credentials")], [200, "true"]);
  const own = await refresh(allowed.cookie, { headers: { Origin: server.url } });
  assert.equal(own.status, 200);
  const policy = await ask("GET", "/policy", { headers: { Origin: "https://the-form" } });
  assert.equal(policy.headers.get("access-control-allow-credentials"), null);
});

test("another user's id gets USER_MISMATCH in every route", async () => {
  const [ann, eve] = [await signUp(), await signUp()];
  const token = eve.token;
  const { data: picture } = await fetch(`${server.url}/images`, {
    method: "POST",
    headers: { Authorization: `Bearer ${ann.token}`, "Content-Type": "image/gif", "CF-Connecting-IP": address() },
    body: gif(++people % 250),
  }).then((answer) => answer.json());
  for (const [method, path, json] of [
    ["GET", `/users/${ann.id}`],
    ["PATCH", `/users/${ann.id}`, { nickname: "eve" }],
    ["PATCH", `/users/${eve.id}`, { imageId: picture.imageId }],
    ["PATCH", `/users/${eve.id}`, { imageKey: picture.key }],
    ["GET", `/images?userId=${ann.id}`],
    ["GET", `/images/${picture.imageId}`],
    ["DELETE", `/images/${picture.imageId}`],
    ["POST", "/images/metadata", { key: picture.key }],
    ["POST", "/uploads/tickets", { userId: ann.id }],
  ]) {
    assert.equal((await ask(method, path, { token, json })).code, "USER_MISMATCH", `${method} ${path}`);
  }
  const own = await ask("PATCH", `/users/${ann.id}`, { token: ann.token, json: { nickname: "앤", imageUrl: picture.imageUrl } });
  assert.deepEqual([own.data.nickname, own.data.profileImageUrl], ["앤", picture.imageUrl]);
  const admin = server.token({ sub: "root", role: "ADMIN" });
  assert.equal((await ask("GET", `/users/${ann.id}`, { token: admin })).data.email, ann.email);
  assert.equal((await ask("GET", "/users/nobody", { token: admin })).code, "NOT_FOUND");
  assert.equal((await ask("DELETE", `/images/${picture.imageId}`, { token: ann.token })).status, 200);
  assert.equal((await ask("GET", `/users/${ann.id}`, { token: ann.token })).data.profileImageUrl, null);
});

test("SQL in a field is stored and compared as text", async () => {
  const { id, token, cookie } = await signUp({ nickname: EVIL });
  const users = server.rows("users").length;
  const own = await ask("GET", `/users/${id}`, { token });
  assert.equal(own.data.nickname, EVIL);
  const quoted = `o'or'1'='1@example.org`;
  const answer = await ask("POST", "/users/signup", { json: { email: quoted, password: EVIL } });
  assert.equal(answer.status, 201, "an e-mail address may contain quotes and signs");
  assert.equal(answer.data.user.email, quoted);
  const plain = await ask("POST", "/users/signup", { json: { email: "o'hara--@example.org", password: EVIL } });
  assert.equal(plain.status, 201, plain.detail);
  assert.equal((await logIn("o'hara--@example.org", EVIL)).status, 200);
  assert.equal((await logIn("o'hara--@example.org", `${EVIL}' OR '1'='1`)).code, "CREDENTIALS_INVALID");
  assert.equal((await logIn(`${EVIL}@example.org`)).code, "MALFORMED_REQUEST");
  assert.equal((await ask("GET", `/users/${encodeURIComponent(EVIL)}`, { token })).code, "NOT_FOUND");
  for (const field of ["nickname", "imageId", "imageKey", "imageUrl"]) {
    await ask("PATCH", `/users/${id}`, { token, json: { [field]: EVIL } });
  }
  assert.equal((await refresh(`${cookie}${EVIL}`)).code, "TOKEN_INVALID");
  assert.equal(server.rows("users").length, users + 2);
  assert.equal((await refresh(cookie)).status, 200);
});

test("parallel guesses get 429 after ten from one client IP and twenty from many, whether or not the account exists", async () => {
  const { email, device } = await signUp();
  for (const [address, from] of [[email, "198.18.255.1"], ["nobody@example.org", "198.18.255.2"]]) {
    const guess = (more) => (_, at) => logIn(address, `guess number ${at}`, more);
    const one = Object.groupBy(await Promise.all(Array.from({ length: 14 }, guess({ from }))), ({ code }) => code);
    assert.deepEqual([one.CREDENTIALS_INVALID.length, one.RATE_LIMITED.length], [10, 4], address);
    for (const { status, headers } of one.RATE_LIMITED) {
      assert.equal(status, 429);
      assert.ok(Number(headers.get("retry-after")) > 1700, headers.get("retry-after"));
    }
    if (address === email) assert.equal((await logIn(email)).status, 200, "one client IP does not keep the owner out");
    const many = Object.groupBy(await Promise.all(Array.from({ length: 14 }, guess({}))), ({ code }) => code);
    assert.deepEqual([many.CREDENTIALS_INVALID.length, many.RATE_LIMITED.length], [10, 4], address);
  }
  assert.equal((await logIn(email)).code, "RATE_LIMITED", "a new browser waits");
  const known = await logIn(email, PASSWORD, { cookie: device });
  assert.equal(known.status, 200, "a browser that has logged in before does not");
  assert.match(known.cookies[1], /^__Host-device=[\w-]{75}; Max-Age=31536000; Path=\/; HttpOnly; Secure; SameSite=Strict$/);
});

test("sessions are listed, ended one by one or all others at once, and an ended one is refused", async () => {
  const headers = { "User-Agent": "Test browser/1.0" };
  const { email, id, token, cookie } = await signUp();
  const [phone, tablet] = [await logIn(email, PASSWORD, { headers }), await logIn(email)];
  const list = async (bearer) => (await ask("GET", "/auth/sessions", { token: bearer })).data.sessions;
  const listed = await list(token);
  assert.equal(listed.length, 3);
  assert.equal(listed.filter(({ current }) => current).length, 1);
  const [own, other] = [listed.find(({ current }) => current), listed.find(({ userAgent }) => userAgent === "Test browser/1.0")];
  assert.equal(JSON.parse(Buffer.from(token.split(".")[1], "base64url")).sid, own.id);
  assert.equal(Date.parse(own.expiresAt) - Date.parse(own.usedAt), 1_209_600_000);

  const stranger = await signUp();
  assert.equal((await ask("DELETE", `/auth/sessions/${other.id}`, { token: stranger.token })).code, "NOT_FOUND");
  const ended = await ask("DELETE", `/auth/sessions/${other.id}`, { token });
  assert.deepEqual([ended.status, ended.data], [200, { ended: 1 }]);
  assert.equal((await refresh(phone.cookie)).code, "TOKEN_INVALID");
  assert.equal((await ask("GET", "/auth/sessions", { token: phone.data.accessToken })).code, "TOKEN_INVALID");
  assert.deepEqual((await ask("DELETE", "/auth/sessions", { token })).data, { ended: 1 });
  assert.equal((await refresh(tablet.cookie)).code, "TOKEN_INVALID");

  const boss = server.token({ sub: "boss", role: "ADMIN" });
  const path = `/admin/api/users/${id}/sessions`;
  assert.deepEqual((await ask("GET", path, { token: boss })).data.sessions.map(({ id }) => id), [own.id]);
  assert.deepEqual((await ask("DELETE", `${path}/${own.id}`, { token: boss })).data, { ended: 1 });
  assert.deepEqual((await ask("DELETE", path, { token: boss })).data, { ended: 0 });
  assert.equal((await refresh(cookie)).code, "TOKEN_INVALID");
  assert.deepEqual(await list(stranger.token).then((all) => all.length), 1);
  const reasons = server.rows("events").filter(({ kind, subject }) => kind === "revoke" && subject === `user:${id}`);
  assert.deepEqual(reasons.map(({ reason, detail }) => [reason, detail]), [["by_the_user", null], ["by_the_user", null], ["administrator", "by boss"]]);
});

test("a password is changed with the old one, which ends the other sessions; of concurrent changes one succeeds", async () => {
  const { email, id, token, cookie } = await signUp();
  const other = await logIn(email);
  const change = (oldPassword, newPassword) => ask("POST", `/users/${id}/password`, { token, json: { oldPassword, newPassword } });
  assert.equal((await ask("POST", "/users/signup", { json: { email: "common@example.org", password: "Password1" } })).code, "PASSWORD_COMMON");
  const common = await change(PASSWORD, "qwertyuiop");
  assert.deepEqual([common.status, common.code, common.backendCode], [422, "PASSWORD_COMMON", "AUTH-016"]);
  assert.equal((await change("guess", "another horse")).code, "CREDENTIALS_INVALID");
  const all = await Promise.all([1, 2, 3].map((number) => change(PASSWORD, `another horse ${number}`)));
  const won = all.findIndex(({ status }) => status === 200);
  assert.deepEqual(all.map(({ status }) => status).sort(), [200, 401, 401], JSON.stringify(all));
  assert.deepEqual([all[won].message, all[won].data], ["change_password_success", { endedSessions: 1 }]);
  assert.equal((await refresh(other.cookie)).code, "TOKEN_INVALID");
  assert.equal((await refresh(cookie)).status, 200, "the own session goes on");
  assert.equal((await logIn(email)).code, "CREDENTIALS_INVALID");
  assert.equal((await logIn(email, `another horse ${won + 1}`)).status, 200);
  const changes = server.rows("events").filter(({ kind, subject }) => kind === "password" && subject === `user:${id}`);
  assert.equal(changes.length, 1);
});

test("a session ends absolutely, and an administrator who is demoted or logged out is refused within a minute", async () => {
  const { email } = await signUp();
  server.changeRows("UPDATE users SET role = 'ADMIN' WHERE email = ?", email);
  const admin = await logIn(email);
  const status = async () => (await ask("GET", "/admin/api/status", { token: admin.data.accessToken })).code ?? "served";
  assert.equal(await status(), "served");
  server.changeRows("UPDATE users SET role = 'USER' WHERE email = ?", email);
  const beganMs = Date.now();
  while ((await status()) === "served" && Date.now() - beganMs < 70_000) await new Promise((resolve) => setTimeout(resolve, 2_000));
  assert.ok(Date.now() - beganMs < 60_000, `served for ${Date.now() - beganMs} ms`);
  assert.equal(await status(), "TOKEN_EXPIRED");
  const renewed = await refresh(admin.cookie);
  assert.equal(renewed.data.payload.role, "USER");

  const begun = server.rows("refresh_families").find(({ id }) => id === JSON.parse(Buffer.from(renewed.data.accessToken.split(".")[1], "base64url")).sid);
  const days = 86_400_000;
  server.changeRows("UPDATE refresh_families SET created_ms = ? WHERE id = ?", Date.now() - 90 * days + 60_000, begun.id);
  const last = await refresh(renewed.cookie);
  const [, lifetime] = /Max-Age=(\d+)/.exec(last.set);
  assert.ok(Number(lifetime) <= 60, last.set);
  server.changeRows("UPDATE refresh_families SET created_ms = ? WHERE id = ?", Date.now() - 90 * days, begun.id);
  assert.equal((await refresh(last.cookie)).code, "TOKEN_EXPIRED");
});

test("an unknown address and a wrong password get the same response in a similar time", async (t) => {
  const times = { wrong: [], unknown: [], right: [], unhashed: [] };
  const responses = new Set();
  for (let round = 0; round < 12; round++) {
    const { email } = await signUp();
    for (const [kind, address, password] of [
      ["wrong", email, "a wrong password"],
      ["unknown", `nobody-${round}@example.org`, "a wrong password"],
      ["right", email, PASSWORD],
      ["unhashed", "no address", PASSWORD],
    ]) {
      const began = performance.now();
      const { status, headers, requestId, timestamp, ...rest } = await logIn(address, password);
      times[kind].push(performance.now() - began);
      if (kind === "wrong" || kind === "unknown") responses.add(JSON.stringify([status, [...headers.keys()], { ...rest, data: undefined }]));
    }
  }
  assert.equal(responses.size, 1, [...responses].join("\n"));
  const median = (list) => list.sort((a, b) => a - b)[list.length / 2];
  const [wrong, unknown, right, unhashed] = [times.wrong, times.unknown, times.right, times.unhashed].map(median);
  t.diagnostic(`median ms: wrong ${wrong.toFixed(1)}, unknown ${unknown.toFixed(1)}, right ${right.toFixed(1)}, malformed address ${unhashed.toFixed(1)}`);
  assert.ok(unknown > wrong / 3, "the password hash is computed for an unknown address as well");
});

test("with AUTH_BUILTIN=false the account routes get NOT_FOUND", async (t) => {
  const without = await startServer({ vars: { AUTH_BUILTIN: "false" } });
  t.after(() => without.stop());
  for (const [method, path] of [["POST", "/users/signup"], ["POST", "/auth/login"], ["POST", "/auth/refresh_token"], ["GET", "/users/u1"]]) {
    const answer = await fetch(without.url + path, { method, headers: { "Content-Type": "application/json" } });
    assert.equal((await answer.json()).code, "NOT_FOUND", path);
  }
});
