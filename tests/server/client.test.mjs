// The package for back ends without a service: requests and their repetition against a fake `fetch`; tokens, URLs and events against jose,
// node:crypto and the package `standardwebhooks`.
import assert from "node:assert/strict";
import { createHash, createHmac, generateKeyPairSync, randomBytes } from "node:crypto";
import { createRequire } from "node:module";
import { resolve } from "node:path";
import { test } from "node:test";
import { importJWK, jwtVerify } from "jose";

import { ImageService, ServiceError, signToken, signUrl, userIdOf, verifyWebhook } from "../../target/server/index.js";

const { Webhook } = createRequire(resolve("tests/browser/package.json"))("standardwebhooks");
const SECRET = randomBytes(32).toString("base64url");

/** A service whose responses are these, one after the other; the last one stays. */
function fake(responses, options = {}) {
  const requests = [];
  const service = new ImageService({
    endpoint: "https://image.example/",
    signingKey: SECRET,
    fetch: async (url, { method, headers, body }) => {
      requests.push({ method, url, headers, body: body && JSON.parse(body) });
      const [next] = responses.length > 1 ? responses.splice(0, 1) : responses;
      if (next instanceof Error) throw next;
      const { status = 200, headers: more = {}, text, ...json } = next;
      return new Response(text ?? JSON.stringify(json), { status, headers: more });
    },
    ...options,
  });
  return { service, requests };
}
const problem = (status, code, headers = {}) => ({ status, headers, code, detail: "Why.", requestId: "r-1" });
const refused = (code, status, more = {}) => (error) => {
  assert.ok(error instanceof ServiceError, error);
  assert.deepEqual([error.code, error.status], [code, status]);
  for (const [name, value] of Object.entries(more)) assert.equal(error[name], value, name);
  return true;
};

test("a request has a token of the role SERVICE, and its data is returned", async () => {
  const { service, requests } = fake([{ data: { formId: "a b" } }], { name: "survey", issuer: "us", audience: "images", language: "ko" });
  assert.deepEqual(await service.putForm("a b", { maxFiles: 1 }), { formId: "a b" });
  await service.getForm("a b");
  const [first, second] = requests;
  assert.deepEqual([first.method, first.url, first.body], ["PUT", "https://image.example/forms/a%20b", { maxFiles: 1 }]);
  assert.equal(first.headers["Accept-Language"], "ko");
  const token = first.headers.Authorization.replace("Bearer ", "");
  const { payload } = await jwtVerify(token, Buffer.from(SECRET), { issuer: "us", audience: "images" });
  assert.deepEqual([payload.sub, payload.role, payload.exp - payload.iat], ["survey", "SERVICE", 300]);
  assert.equal(second.headers.Authorization, first.headers.Authorization, "the token is used again");
});

test("lists go on until the last page", async () => {
  const pages = [{ data: { images: [{ key: "a" }, { key: "b" }], nextCursor: "b" } }, { data: { images: [], nextCursor: "c" } }, { data: { images: [{ key: "d" }], nextCursor: null } }];
  const { service, requests } = fake(pages);
  const keys = [];
  for await (const { key } of service.images({ formId: "f 1" })) keys.push(key);
  assert.deepEqual(keys, ["a", "b", "d"]);
  assert.deepEqual(requests.map(({ url }) => new URL(url).search), ["?formId=f+1&limit=100", "?formId=f+1&limit=100&cursor=b", "?formId=f+1&limit=100&cursor=c"]);
});

test("a look-up asks for a hundred keys at a time, each once", async () => {
  const { service, requests } = fake([{ data: { images: [{ key: "key-1" }], nextCursor: null } }]);
  const keys = Array.from({ length: 150 }, (_, at) => `key-${at}`);
  const found = await service.imagesByKey([...keys, ...keys]);
  assert.deepEqual([...found], [["key-1", { key: "key-1" }]]);
  assert.deepEqual(requests.map(({ url }) => new URL(url).searchParams.getAll("key").length), [100, 50]);
});

test("an error has the code, the detail, the status and the time to wait", async () => {
  const { service, requests } = fake([problem(429, "RATE_LIMITED", { "Retry-After": "60" })]);
  await assert.rejects(service.getForm("stay"), refused("RATE_LIMITED", 429, { detail: "Why.", retryAfter: 60, requestId: "r-1", message: "RATE_LIMITED: Why." }));
  assert.equal(requests.length, 1, "a minute is too long to wait");
});

test("a request is repeated after Retry-After, and not more often than it may be", async () => {
  const busy = problem(503, "BUSY", { "Retry-After": "0" });
  const { service, requests } = fake([busy, busy, { data: { ticket: "t" } }]);
  assert.equal(await service.ticketFor("7"), "t");
  assert.equal(requests.length, 3);
  const stubborn = fake([busy]);
  await assert.rejects(stubborn.service.ticketFor("7"), refused("BUSY", 503, { retryAfter: 0 }));
  assert.equal(stubborn.requests.length, 3);
  const once = fake([busy], { retries: 0 });
  await assert.rejects(once.service.ticketFor("7"), refused("BUSY", 503));
  assert.equal(once.requests.length, 1);
});

test("Retry-After may be a date", async () => {
  const { service } = fake([problem(503, "BUSY", { "Retry-After": new Date(Date.now() + 120_000).toUTCString() })]);
  await assert.rejects(service.getForm("stay"), ({ retryAfter }) => retryAfter > 100 && retryAfter <= 120);
});

test("after a broken connection only requests are repeated that change nothing twice", async () => {
  const cause = new TypeError("fetch failed");
  const reading = fake([cause, { data: { formId: "stay" } }]);
  assert.deepEqual(await reading.service.getForm("stay"), { formId: "stay" });
  const writing = fake([cause, { data: {} }]);
  await assert.rejects(writing.service.deleteImages({ keys: ["k"] }), (error) => refused("UNREACHABLE", 0)(error) && error.cause === cause);
  assert.equal(writing.requests.length, 1);
});

test("a response of something else is named", async () => {
  for (const [response, status] of [[{ text: "<!doctype html>" }, 200], [{ status: 404, text: "not here" }, 404], [{ status: 302, text: "" }, 302], [{ text: "null" }, 200], [{ status: 400, error: "x" }, 400]]) {
    await assert.rejects(fake([response]).service.getForm("stay"), refused("UNEXPECTED_RESPONSE", status));
  }
});

test("a refused token of an identity provider is replaced once", async () => {
  const asked = [];
  const options = { signingKey: undefined, token: ({ refresh }) => (asked.push(refresh), `token-${asked.length}`) };
  const { service, requests } = fake([problem(401, "TOKEN_EXPIRED"), { data: { formId: "stay" } }], options);
  await service.getForm("stay");
  assert.deepEqual(asked, [false, true]);
  assert.deepEqual(requests.map(({ headers }) => headers.Authorization), ["Bearer token-1", "Bearer token-2"]);
  const wrong = fake([problem(401, "TOKEN_INVALID")], options);
  await assert.rejects(wrong.service.getForm("stay"), refused("TOKEN_INVALID", 401));
  assert.equal(wrong.requests.length, 2);
  assert.throws(() => wrong.service.tokenFor("7"), /needs `signingKey`/);
});

test("what a page sends for a ticket cannot name another user", async () => {
  const { service, requests } = fake([{ data: { ticket: "t" } }]);
  await service.ticketFor("7", JSON.parse('{"userId":"8","role":"ADMIN","contentType":"image/png","maxBytes":5}'));
  assert.deepEqual(requests[0].body, { contentType: "image/png", maxBytes: 5, userId: "7" });
});

test("all pictures of an answer are claimed, even if one cannot be", async () => {
  const { service, requests } = fake([problem(404, "IMAGE_NOT_FOUND"), { data: { imageId: 1 } }]);
  const keys = Array.from({ length: 8 }, (_, at) => `key-${at}`);
  await assert.rejects(service.claimAll(keys, "7"), refused("IMAGE_NOT_FOUND", 404));
  assert.deepEqual(requests.map(({ body }) => body.key).sort(), keys);
  assert.ok(requests.every(({ body }) => body.userId === "7"));
});

test("an export has the records of all pages", async () => {
  const { service, requests } = fake([{ data: { userId: "7", imageCount: 2, images: [{ key: "a" }], nextCursor: "x" } }, { data: { userId: "7", images: [{ key: "b" }], nextCursor: null } }]);
  assert.deepEqual(await service.exportUser("7"), { userId: "7", imageCount: 2, images: [{ key: "a" }, { key: "b" }], nextCursor: null });
  assert.deepEqual(requests.map(({ url }) => new URL(url).pathname + new URL(url).search), ["/users/7/export", "/users/7/export?cursor=x"]);
});

test("`finished` waits for the end of a removal, or until its signal is aborted", async () => {
  const running = { id: "r", state: "running", total: 2, removed: 0 };
  const { service, requests } = fake([{ data: { ...running, removed: 1 } }, { data: { ...running, removed: 2, state: "done" } }]);
  const seen = [];
  const done = await service.finished(running, { onProgress: ({ removed }) => seen.push(removed) });
  assert.equal(done.state, "done");
  assert.deepEqual(seen, [0, 1, 2]);
  assert.ok(requests.every(({ url }) => url === "https://image.example/removals/r"));
  const stop = new AbortController();
  const waiting = service.finished(running, { signal: stop.signal });
  stop.abort(new Error("stopped"));
  await assert.rejects(waiting, /stopped/);
});

test("tokens of every kind of key verify with jose", async () => {
  const keys = {
    RS256: generateKeyPairSync("rsa", { modulusLength: 2048 }),
    ES256: generateKeyPairSync("ec", { namedCurve: "P-256" }),
    EdDSA: generateKeyPairSync("ed25519"),
  };
  for (const [alg, { privateKey, publicKey }] of Object.entries(keys)) {
    // As published key sets have them.
    const jwk = { ...privateKey.export({ format: "jwk" }), kid: `k-${alg}`, alg, use: "sig" };
    for (let round = 0; round < 2; round += 1) {
      const token = await signToken(jwk, "u-1", { role: "GUEST", lifetimeS: 60 });
      const { payload, protectedHeader } = await jwtVerify(token, await importJWK(publicKey.export({ format: "jwk" }), alg));
      assert.deepEqual(protectedHeader, { alg, typ: "JWT", kid: `k-${alg}` });
      assert.deepEqual([payload.sub, payload.role, payload.exp - payload.iat], ["u-1", "GUEST", 60]);
    }
    await assert.rejects(signToken(publicKey.export({ format: "jwk" }), "u-1"), /public/);
  }
  const { payload } = await jwtVerify(await signToken(SECRET, "u-1"), Buffer.from(SECRET));
  assert.equal(payload.role, "USER");
});

test("mistakes in the program are named before anything is sent", async () => {
  await assert.rejects(signToken(SECRET, "auth0|5f7c"), /user id/);
  await assert.rejects(signToken("short", "7"), /32 bytes/);
  await assert.rejects(signToken(generateKeyPairSync("ec", { namedCurve: "P-384" }).privateKey.export({ format: "jwk" }), "7"), /P-384/);
  assert.throws(() => new ImageService({ endpoint: "https://image.example" }), /signingKey/);
  assert.throws(() => new ImageService({ endpoint: "image.example", signingKey: SECRET }), /URL/);
  assert.throws(() => new ImageService({ endpoint: "https://image.example", signingKey: SECRET }).signedUrl("private/users/7/images/a.png"), /urlSigningKey/);
  await assert.rejects(signUrl({ origin: "https://image.example", urlSigningKey: "short" }, "private/users/7/images/a.png"), /32 characters/);
});

test("signed URLs are those of node:crypto", async () => {
  const key = "private/users/7/images/1-a.png";
  for (const size of [undefined, "thumb"]) {
    const url = new URL(await signUrl({ origin: "https://image.example/", urlSigningKey: SECRET }, key, { expiresInS: 60, size }));
    const exp = Number(url.searchParams.get("exp"));
    assert.ok(Math.abs(exp - Date.now() / 1000 - 60) < 5);
    const parameters = `exp=${exp}${size ? `&v=${size}` : ""}`;
    const sig = createHmac("sha256", SECRET).update(`private-v1\n/${key}\n${parameters}`).digest("base64url");
    assert.equal(url.href, `https://image.example/${key}?${parameters}&sig=${sig}`);
  }
  assert.match(await signUrl({ origin: "https://image.example", urlSigningKey: SECRET }, "users/7/images/1-a.png"), /^https:\/\/image\.example\/private\/users\/7\//, "one that is held");
});

test("user ids are those of the configuration guide", async () => {
  const issuer = { name: "shop", issuer: "https://login.shop.example/" };
  const hash = (sub) => `shop-${createHash("sha256").update(`${issuer.issuer}\n${sub}`).digest("base64url").slice(0, 22)}`;
  for (const sub of ["auth0|5f7c", "a".repeat(60), "é", "0123456789012345678901"]) assert.equal(await userIdOf(issuer, sub), hash(sub), sub);
  for (const sub of ["7", "a_b-C", "a".repeat(59)]) assert.equal(await userIdOf(issuer, sub), `shop-${sub}`);
});

test("events of the package standardwebhooks verify; others do not", async () => {
  const secrets = [1, 2, 3].map(() => `whsec_${randomBytes(32).toString("base64")}`);
  const body = JSON.stringify({ type: "image.stored", timestamp: "2025-11-14T10:00:00.000Z", data: { key: "k", originalFilename: "é.png" } });
  const at = new Date();
  const headersOf = (signature, timestamp = at) => ({ "webhook-id": "m-1", "webhook-timestamp": String(Math.floor(timestamp / 1000)), "webhook-signature": signature });
  const sign = (secret, timestamp = at) => new Webhook(secret).sign("m-1", timestamp, body);
  const good = headersOf(sign(secrets[0]));
  const event = await verifyWebhook(body, good, secrets[0]);
  assert.deepEqual([event.id, event.type, event.data.originalFilename], ["m-1", "image.stored", "é.png"]);
  for (const [name, args] of Object.entries({
    "headers of the Fetch API": [body, new Headers(good), secrets[0]],
    "bytes": [Buffer.from(body), good, secrets[0]],
    "an ArrayBuffer": [new TextEncoder().encode(body).buffer, good, secrets[0]],
    "several secrets in one text": [body, good, `${secrets[1]} ${secrets[0]}`],
    "a list of secrets": [body, good, [secrets[1], secrets[0]]],
    "several signatures": [body, headersOf(`v1a,AAAA v1,!! ${sign(secrets[1])} ${sign(secrets[0])}`), secrets[0]],
    "a time within the tolerance": [body, headersOf(sign(secrets[0], new Date(at - 290_000)), new Date(at - 290_000)), secrets[0]],
  })) assert.equal((await verifyWebhook(...args)).id, "m-1", name);
  const late = new Date(at - 310_000);
  for (const [name, args] of Object.entries({
    "another body": [`${body} `, good, secrets[0]],
    "another secret": [body, good, secrets[2]],
    "another time": [body, { ...good, "webhook-timestamp": String(Number(good["webhook-timestamp"]) - 1) }, secrets[0]],
    "another id": [body, { ...good, "webhook-id": "m-2" }, secrets[0]],
    "a time that is too far back": [body, headersOf(sign(secrets[0], late), late), secrets[0]],
    "no time": [body, { ...good, "webhook-timestamp": "NaN" }, secrets[0]],
    "no signature": [body, { "webhook-id": "m-1", "webhook-timestamp": good["webhook-timestamp"] }, secrets[0]],
    "another version": [body, headersOf(sign(secrets[0]).replace("v1,", "v2,")), secrets[0]],
    "part of a signature": [body, headersOf(sign(secrets[0]).slice(0, -4)), secrets[0]],
  })) await assert.rejects(verifyWebhook(...args), refused("WEBHOOK_INVALID", 0), name);
  for (const secret of ["", "whsec_", "secret", "whsec_!!", `${secrets[0]} x`]) await assert.rejects(verifyWebhook(body, good, secret), TypeError, secret);
});
