// Delivery on the built Worker: whole images, ranges, conditions, variants, CORS, and 404 for all other paths.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";

import { flat, png } from "./pictures.mjs";
import { startServer } from "./server.mjs";

const fixture = (path) => readFileSync(new URL(`../fixtures/${path}`, import.meta.url));
const ORIGIN = "https://survey.example";

let server, url, key, bytes, etag;
before(async () => {
  server = await startServer({ vars: { ALLOWED_ORIGINS: ORIGIN } });
  const { data } = await upload(fixture("jpeg/baseline-420.jpg"), "image/jpeg");
  ({ imageUrl: url, key } = data);
  bytes = server.objects().get(key);
  etag = (await fetch(url)).headers.get("etag");
});
after(() => server.stop());

async function upload(body, type) {
  const headers = { "Content-Type": type, Authorization: `Bearer ${server.token()}` };
  return (await fetch(`${server.url}/images`, { method: "POST", headers, body })).json();
}

const get = (headers = {}, method = "GET", query = "") => fetch(url + query, { method, headers });
const body = async (answer) => Buffer.from(await answer.arrayBuffer());

test("an image is served with its security and caching headers, from the store and from the cache", async () => {
  for (const time of ["from the store", "from the cache"]) {
    const answer = await get({ Origin: ORIGIN });
    const header = (name) => answer.headers.get(name);
    assert.deepEqual(await body(answer), bytes, time);
    assert.equal(header("content-type"), "image/jpeg");
    assert.equal(header("content-length"), String(bytes.length), time);
    assert.equal(header("cache-control"), "public, max-age=86400, s-maxage=90");
    assert.equal(header("accept-ranges"), "bytes");
    assert.equal(header("etag"), etag);
    assert.match(header("last-modified"), / GMT$/);
    assert.equal(header("x-content-type-options"), "nosniff");
    assert.match(header("content-security-policy"), /default-src 'none'.*sandbox/);
    assert.equal(header("cross-origin-resource-policy"), "cross-origin");
    assert.equal(header("content-disposition"), "inline");
    assert.equal(header("access-control-allow-origin"), ORIGIN);
    assert.equal(header("vary"), "Origin");
  }
});

test("a range gets 206 with its bytes, an unsatisfiable one 416, and an unsupported one 200", async () => {
  for (const [range, from, to] of [["bytes=0-9", 0, 10], ["bytes=100-", 100, bytes.length], ["bytes=-7", bytes.length - 7, bytes.length], ["bytes=5-999999", 5, bytes.length]]) {
    const answer = await get({ Range: range });
    assert.equal(answer.status, 206, range);
    assert.equal(answer.headers.get("content-range"), `bytes ${from}-${to - 1}/${bytes.length}`);
    assert.equal(answer.headers.get("content-length"), String(to - from));
    assert.deepEqual(await body(answer), bytes.subarray(from, to), range);
  }
  const beyond = await get({ Range: `bytes=${bytes.length}-` });
  assert.equal(beyond.status, 416);
  assert.equal(beyond.headers.get("content-range"), `bytes */${bytes.length}`);
  for (const range of ["bytes=0-1,4-5", "lines=0-1", "bytes=9-0"]) {
    const answer = await get({ Range: range });
    assert.equal(answer.status, 200, range);
    assert.deepEqual(await body(answer), bytes);
  }
  assert.equal((await get({ Range: "bytes=0-9", "If-Range": etag })).status, 206);
  assert.equal((await get({ Range: "bytes=0-9", "If-Range": '"other"' })).status, 200);
});

test("conditional requests get 304 or 412 by ETag and date", async () => {
  const modified = (await get()).headers.get("last-modified");
  assert.equal((await get({ "If-None-Match": etag })).status, 304);
  assert.equal((await get({ "If-None-Match": `W/${etag}` })).status, 304);
  assert.equal((await get({ "If-None-Match": '"x", *' })).status, 200);
  assert.equal((await get({ "If-Modified-Since": modified })).status, 304);
  assert.equal((await get({ "If-Match": '"x"' })).status, 412);
  assert.equal((await get({ "If-Unmodified-Since": "Thu, 01 Jan 1970 00:00:00 GMT" })).status, 412);
  const unchanged = await get({ "If-None-Match": etag });
  assert.equal(unchanged.headers.get("etag"), etag);
  assert.equal((await body(unchanged)).length, 0);
});

test("HEAD has the headers of GET and no body", async () => {
  const answer = await get({}, "HEAD");
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.get("content-length"), String(bytes.length));
  assert.equal(answer.headers.get("etag"), etag);
  assert.equal((await body(answer)).length, 0);
  assert.equal((await get({ Range: "bytes=0-9" }, "HEAD")).status, 200, "HEAD ignores Range");
});

test("a variant fits its square, keeps its ETag and serves ranges; an unknown variant gets MALFORMED_REQUEST", async () => {
  const { data } = await upload(png(1500, 1000), "image/png");
  let largest = 0;
  for (const [name, edge] of [["thumb", 200], ["small", 480], ["medium", 1024]]) {
    const answer = await fetch(`${data.imageUrl}?v=${name}`);
    assert.equal(answer.status, 200);
    // For smooth colours a JPEG has far fewer bytes than a PNG.
    assert.equal(answer.headers.get("content-type"), "image/jpeg");
    const small = await body(answer);
    assert.deepEqual(jpegSize(small), [edge, Math.round((edge * 2) / 3)]);
    assert.ok(small.length > largest);
    largest = small.length;
    const again = await fetch(`${data.imageUrl}?v=${name}`);
    assert.equal(again.headers.get("etag"), answer.headers.get("etag"));
    assert.deepEqual(await body(again), small);
    const part = await fetch(`${data.imageUrl}?v=${name}`, { headers: { Range: "bytes=2-5" } });
    assert.equal(part.status, 206);
    assert.deepEqual(await body(part), small.subarray(2, 6));
  }
  const unknown = await fetch(`${data.imageUrl}?v=huge`);
  assert.equal((await unknown.json()).code, "MALFORMED_REQUEST");
  assert.equal((await fetch(`${data.imageUrl}?utm=1`)).status, 200);
});

test("variants of drawings are PNG, and so is the stored image of a photo uploaded as PNG", async () => {
  // Its size is no multiple of its areas, so it does not count as pixel art.
  const { data: drawing } = await upload(flat(1501, 1001), "image/png");
  const answer = await fetch(`${drawing.imageUrl}?v=small`);
  assert.equal(answer.headers.get("content-type"), "image/png");
  const small = await body(answer);
  assert.deepEqual([small.readUInt32BE(16), small.readUInt32BE(20)], [480, 320]);
  const { data: photo } = await upload(png(1400, 1000), "image/png");
  assert.equal((await fetch(photo.imageUrl)).headers.get("content-type"), "image/png");
});

test("many readers get one derived picture in the format they take, and it goes with its original", async () => {
  const { data } = await upload(png(1400, 900), "image/png");
  const read = (query, accept) => fetch(`${data.imageUrl}?${query}`, { headers: { Accept: accept } });
  const derived = () => server.derivedKeys().filter((stored) => stored.startsWith(`derived/${data.key.replace(/\.png$/, "")}/`));
  const answers = await Promise.all(Array.from({ length: 20 }, () => read("w=320&format=auto", "image/*")));
  const [made, ...others] = derived();
  assert.deepEqual([made?.split("/").at(-1), others], ["w320-q80-2.jpeg", []]);
  for (const answer of answers) {
    assert.deepEqual([answer.status, answer.headers.get("vary")], [200, "Accept, Origin"]);
    const bytes = await body(answer);
    // A reader who has waited for five seconds gets the original.
    if (answer.headers.get("content-type") === "image/jpeg") assert.deepEqual(jpegSize(bytes), [320, 206]);
    else assert.equal(bytes.length, data.fileSize);
  }
  const webp = await read("w=320&format=webp", "*/*");
  assert.match(webp.headers.get("content-type"), /^image\/(webp|jpeg)$/);
  await body(webp);
  assert.equal((await read("w=321", "*/*")).status, 400);
  const headers = { Authorization: `Bearer ${server.token()}` };
  assert.equal((await fetch(`${server.url}/images/${data.imageId}`, { method: "DELETE", headers })).status, 200);
  assert.deepEqual(derived(), []);
  // A size that no cache has.
  assert.equal((await read("w=160", "image/*")).status, 404);
});

/** Width and height from a JPEG's frame header. */
function jpegSize(bytes) {
  assert.equal(bytes.readUInt16BE(0), 0xffd8);
  const frame = bytes.indexOf(Buffer.from([0xff, 0xc0]));
  return [bytes.readUInt16BE(frame + 7), bytes.readUInt16BE(frame + 5)];
}

test("a path that is no stored image gets 404", async () => {
  const missing = key.replace(/-[0-9a-f]{8}-/, "-00000000-");
  for (const [path, code] of [
    [missing, "IMAGE_NOT_FOUND"],
    [key.replace("users/123", "users/124"), "IMAGE_NOT_FOUND"],
    [key.replace(".jpeg", ".png"), "IMAGE_NOT_FOUND"],
    [key.replace(".jpeg", ".svg"), "NOT_FOUND"],
    [`${key}/`, "NOT_FOUND"],
    [`/${key}`, "NOT_FOUND"],
    ["users/123/images/", "NOT_FOUND"],
    ["users/123/images/..%2f..%2fsecret", "NOT_FOUND"],
    ["readiness", "NOT_FOUND"],
    [key.toUpperCase(), "NOT_FOUND"],
  ]) {
    const answer = await fetch(`${server.url}/${path}`);
    assert.equal((await answer.json()).code, code, path);
    assert.equal(answer.status, 404, path);
  }
});

test("every route sends CORS headers to allowed origins only, also with 405", async () => {
  const addresses = [
    ["/images", "POST", "PUT"],
    ["/auth/guest-token", "GET", "POST"],
    ["/.well-known/jwks.json", "GET", "PUT"],
    ["/policy", "GET", "PATCH"],
    ["/healthz", "GET", "DELETE"],
    ["/readyz", "GET", "POST"],
    [`/${key}`, "GET", "POST"],
  ];
  for (const [path, allowed, refused] of addresses) {
    const ask = (origin) =>
      fetch(server.url + path, { method: "OPTIONS", headers: { Origin: origin, "Access-Control-Request-Method": allowed } });
    const preflight = await ask(ORIGIN);
    assert.equal(preflight.status, 204, path);
    assert.equal(preflight.headers.get("access-control-allow-origin"), ORIGIN, path);
    assert.ok(preflight.headers.get("access-control-allow-methods").split(", ").includes(allowed), path);
    assert.match(preflight.headers.get("vary"), /Origin/);
    for (const origin of ["https://evil.example", "null", `${ORIGIN}.evil.example`]) {
      assert.equal((await ask(origin)).headers.get("access-control-allow-origin"), null, `${path} ${origin}`);
    }
    const wrong = await fetch(server.url + path, { method: refused, headers: { Origin: ORIGIN } });
    assert.equal(wrong.status, 405, path);
    assert.ok(wrong.headers.get("allow").includes(allowed), path);
    assert.equal(wrong.headers.get("access-control-allow-origin"), ORIGIN, "an error response is readable by the page");
    assert.equal((await wrong.json()).code, "METHOD_NOT_ALLOWED");
  }
});

test("/policy has the limits and types of uploads", async () => {
  const policy = await (await fetch(`${server.url}/policy`)).json();
  assert.equal(policy.limits.maxBytes, 5_242_880);
  assert.deepEqual(policy.acceptedTypes, ["image/jpeg", "image/png", "image/gif", "image/webp"]);
});
