// POST /images on the built Worker: stored images, rejections with their codes, guest tokens, and removal of private data.
import assert from "node:assert/strict";
import { createHash, createPublicKey, sign } from "node:crypto";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";

import { hs256, startServer } from "./server.mjs";

const fixture = (path) => readFileSync(new URL(`../fixtures/${path}`, import.meta.url));
const KEY = /^users\/123\/images\/\d{13}-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.(jpeg|png|gif|webp)$/;

let server;
before(async () => {
  server = await startServer();
});
after(() => server.stop());

function post(body, { type = "image/jpeg", token = server.token(), headers = {} } = {}) {
  const authorization = token ? { Authorization: `Bearer ${token}` } : {};
  return fetch(`${server.url}/images`, {
    method: "POST",
    headers: { "Content-Type": type, ...authorization, ...headers },
    body,
    duplex: "half",
  });
}

/** Asserts the code, the status and the problem document of a rejection. */
async function assertRefused(answer, status, code) {
  const problem = await answer.json();
  assert.equal(problem.code, code);
  assert.equal(answer.status, status);
  assert.equal(problem.status, status);
  assert.match(answer.headers.get("content-type"), /^application\/problem\+json/);
  assert.match(problem.backendCode, /^(AUTH|IMAGE|COMMON)-\d{3}$/);
  assert.equal(problem.requestId, answer.headers.get("x-request-id"));
  assert.ok(problem.detail.length > 10);
  return problem;
}

for (const [type, path] of [
  ["image/jpeg", "jpeg/baseline-420.jpg"],
  ["image/png", "png/rgba8.png"],
  ["image/gif", "gif/animated.gif"],
  ["image/webp", "webp/lossy.webp"],
]) {
  test(`${type} is stored, registered and served from its URL`, async () => {
    const bytes = fixture(path);
    const answer = await post(bytes, { type, headers: { "X-Filename": encodeURIComponent("프로필 사진.jpg") } });
    const { message, data, url, timestamp } = await answer.json();
    assert.equal(answer.status, 201);
    assert.equal(message, "upload_image_success");
    assert.match(data.key, KEY);
    assert.equal(data.imageUrl, `${server.url}/${data.key}`);
    assert.equal(url, data.imageUrl);
    assert.equal(answer.headers.get("location"), url);
    assert.equal(data.contentType, type);
    assert.equal(data.originalFilename, "프로필 사진.jpg");
    assert.match(timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);

    const picture = await fetch(url);
    const served = Buffer.from(await picture.arrayBuffer());
    assert.equal(picture.status, 200);
    assert.equal(picture.headers.get("content-type"), type);
    assert.equal(picture.headers.get("x-content-type-options"), "nosniff");
    assert.match(picture.headers.get("cache-control"), /^public, max-age=86400\b/);
    assert.deepEqual(server.objects().get(data.key), served, "the served bytes are those in R2");
    assert.equal(data.fileSize, served.length);
    assert.equal(createHash("sha256").update(served).digest("hex"), data.sha256);

    const row = server.rows().find((row) => row.key === data.key);
    assert.deepEqual(
      [row.id, row.owner, row.media_type, row.width, row.height, row.size_bytes],
      [data.imageId, "123", type, data.width, data.height, data.fileSize],
    );

    const again = await fetch(url, { headers: { "If-None-Match": picture.headers.get("etag") } });
    assert.equal(again.status, 304);
    const headOnly = await fetch(url, { method: "HEAD" });
    assert.equal(headOnly.headers.get("content-length"), String(served.length));
  });
}

test("each rejected upload has its code and stores no object or row", async () => {
  const jpeg = fixture("jpeg/baseline-420.jpg");
  const objectsBefore = server.objects().size;
  const rowsBefore = server.rows().length;

  await assertRefused(await post(jpeg, { token: "" }), 401, "TOKEN_MISSING");
  await assertRefused(await post(jpeg, { token: server.token({}, -60) }), 401, "TOKEN_EXPIRED");
  const forged = hs256("not the secret of this server, but as long", {}, 300);
  await assertRefused(await post(jpeg, { token: forged }), 401, "TOKEN_INVALID");
  await assertRefused(await post(jpeg, { token: "garbage" }), 401, "TOKEN_INVALID");
  await assertRefused(await post(jpeg, { token: server.token({ role: "ADMIN" }) }), 403, "ROLE_NOT_ALLOWED");
  await assertRefused(await post("just text"), 400, "INVALID_FILE_SIGNATURE");
  await assertRefused(await post(fixture("png/rgb8.png")), 400, "INVALID_FILE_SIGNATURE");
  await assertRefused(await post(jpeg, { type: "text/plain" }), 400, "INVALID_FILE_TYPE");
  await assertRefused(await post(jpeg, { type: "image/heic" }), 400, "INVALID_FILE_TYPE");
  await assertRefused(await post(""), 400, "FILE_MISSING");
  await assertRefused(await post(jpeg.subarray(0, 200)), 422, "IMAGE_CORRUPT");

  assert.equal(server.objects().size, objectsBefore);
  assert.equal(server.rows().length, rowsBefore);
});

test("six megabytes get FILE_TOO_LARGE, with or without a Content-Length", async () => {
  const big = Buffer.concat([fixture("jpeg/baseline-420.jpg"), Buffer.alloc(6_000_000)]);
  const objectsBefore = server.objects().size;
  await assertRefused(await post(big), 413, "FILE_TOO_LARGE");
  const chunked = new ReadableStream({
    start(controller) {
      for (let at = 0; at < big.length; at += 65_536) controller.enqueue(big.subarray(at, at + 65_536));
      controller.close();
    },
  });
  await assertRefused(await post(chunked), 413, "FILE_TOO_LARGE");
  assert.equal(server.objects().size, objectsBefore);
});

test("a rejection is in the caller's language and has CORS headers", async () => {
  const headers = { "Accept-Language": "ko-KR,ko;q=0.9", Origin: "https://survey.example" };
  const answer = await post("", { headers });
  const problem = await assertRefused(answer, 400, "FILE_MISSING");
  assert.match(problem.detail, /[가-힣]/);
  assert.equal(answer.headers.get("content-language"), "ko");
  assert.equal(answer.headers.get("access-control-allow-origin"), "*");

  const preflight = await fetch(`${server.url}/images`, {
    method: "OPTIONS",
    headers: { Origin: "https://survey.example", "Access-Control-Request-Method": "POST" },
  });
  assert.equal(preflight.status, 204);
  assert.match(preflight.headers.get("access-control-allow-methods"), /POST/);
  assert.match(preflight.headers.get("access-control-allow-headers"), /\bauthorization\b/i);

  const wrongMethod = await fetch(`${server.url}/images`, { method: "PUT", body: "x" });
  await assertRefused(wrongMethod, 405, "METHOD_NOT_ALLOWED");
  assert.match(wrongMethod.headers.get("allow"), /POST/);
});

test("a guest token is issued, verifies with the published key, and uploads", async () => {
  const { data } = await (await fetch(`${server.url}/auth/guest-token`)).json();
  assert.equal(data.expiresIn, 300);
  const [head, payload] = data.token.split(".", 2).map((part) => JSON.parse(Buffer.from(part, "base64url")));
  assert.equal(payload.role, "GUEST");
  assert.match(payload.sub, /^guest-[0-9a-f-]{36}$/);
  assert.equal(payload.exp - payload.iat, 300);

  const { keys } = await (await fetch(`${server.url}/.well-known/jwks.json`)).json();
  assert.equal(keys[0].kid, head.kid);
  assert.equal(keys[0].d, undefined, "the private member is not published");
  const { x } = createPublicKey(server.signing).export({ format: "jwk" });
  assert.equal(keys[0].x, x);

  const answer = await post(fixture("jpeg/baseline-420.jpg"), { token: data.token });
  const uploaded = await answer.json();
  assert.equal(answer.status, 201);
  assert.ok(uploaded.data.key.startsWith(`users/${payload.sub}/images/`));
});

test("an ES256 token needs the published key id and a valid signature", async () => {
  const { keys } = await (await fetch(`${server.url}/.well-known/jwks.json`)).json();
  const now = Math.floor(Date.now() / 1000);
  const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const mint = (kid, tamper) => {
    const signed = `${encode({ alg: "ES256", kid })}.${encode({ sub: "123", exp: now + 60 })}`;
    const signature = sign("sha256", Buffer.from(signed), { key: server.signing, dsaEncoding: "ieee-p1363" });
    if (tamper) signature[10] ^= 1;
    return `${signed}.${signature.toString("base64url")}`;
  };
  const jpeg = fixture("jpeg/baseline-420.jpg");
  assert.equal((await post(jpeg, { token: mint(keys[0].kid) })).status, 200, "200, because the same bytes were stored before");
  await assertRefused(await post(jpeg, { token: mint(keys[0].kid, true) }), 401, "TOKEN_INVALID");
  await assertRefused(await post(jpeg, { token: mint("another") }), 401, "TOKEN_INVALID");
});

test("a key without an image gets IMAGE_NOT_FOUND, and a path that is no key NOT_FOUND", async () => {
  const missing = `users/123/images/1699876543210-00000000-0000-4000-8000-000000000000.jpeg`;
  await assertRefused(await fetch(`${server.url}/${missing}`), 404, "IMAGE_NOT_FOUND");
  await assertRefused(await fetch(`${server.url}/users/123/images/secret.txt`), 404, "NOT_FOUND");
});

test("/readyz gets 200 with every component ok", async () => {
  const answer = await fetch(`${server.url}/readyz`);
  assert.deepEqual(await answer.json(), { storage: "ok", registry: "ok", ledger: "ok", bucket: "bound" });
  assert.equal(answer.status, 200);
});

test("private metadata is removed before the store, and the response lists it", async () => {
  const answer = await post(fixture("jpeg/private.jpg"));
  const { data } = await answer.json();
  assert.equal(answer.status, 201);
  assert.deepEqual(data.removed, ["exif", "gps", "thumbnail", "xmp", "iptc", "icc", "comment", "vendor", "trailing"]);
  assert.ok(data.originalSize > data.fileSize);
  const stored = server.objects().get(data.key).toString("latin1");
  // An EXIF block with only the orientation stays, so that the image is shown upright.
  for (const trace of ["ns.adobe.com", "Photoshop", "8BIM", "hello", "Ducky", "not a real archive"]) {
    assert.ok(!stored.includes(trace), trace);
    assert.ok(fixture("jpeg/private.jpg").toString("latin1").includes(trace), `the fixture contains ${trace}`);
  }
});

test("a photo larger than MAX_EDGE is resized", async (t) => {
  const photo = new URL("../fixtures/jpeg/orientation-6.jpg", import.meta.url);
  const small = await startServer({ vars: { MAX_EDGE: "16" } });
  t.after(() => small.stop());
  const answer = await fetch(`${small.url}/images`, {
    method: "POST",
    headers: { "Content-Type": "image/jpeg", Authorization: `Bearer ${small.token()}` },
    body: readFileSync(photo),
  });
  const { data } = await answer.json();
  assert.equal(answer.status, 201);
  assert.equal(Math.max(data.width, data.height), 16);
});
