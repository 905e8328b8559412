// The object stores on the built Worker: one suite for both R2 and S3, then network faults and configuration errors of S3.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { after, before, describe, test } from "node:test";

import { startProxy } from "../faults/s3_proxy.mjs";
import { startS3 } from "./s3.mjs";
import { freePort, startServer } from "./server.mjs";

const fixture = (path) => readFileSync(new URL(`../fixtures/${path}`, import.meta.url));
const PICTURES = [
  ["image/jpeg", "jpeg/baseline-420.jpg"],
  ["image/png", "png/rgba8.png"],
  ["image/gif", "gif/animated.gif"],
  ["image/webp", "webp/lossy.webp"],
];
const UNKNOWN = "users/123/images/1699876543210-00000000-0000-4000-8000-000000000000.jpeg";
const TIMEOUT_MS = 1_500;

// Each upload has a new user and client IP, so that neither limits nor duplicates apply.
let caller = 0;

function post(server, body, type = "image/jpeg", token) {
  caller += 1;
  token ??= server.token({ sub: `user-${caller}` });
  const headers = { "Content-Type": type, "CF-Connecting-IP": `198.51.100.${caller}` };
  return fetch(`${server.url}/images`, {
    method: "POST",
    headers: { ...headers, Authorization: `Bearer ${token}` },
    body,
  });
}

async function stored(server, type = "image/jpeg", path = "jpeg/baseline-420.jpg") {
  const answer = await post(server, fixture(path), type);
  const { data, url, code } = await answer.json();
  assert.equal(answer.status, 201, `${code}\n${server.log()}`);
  return { key: data.key, url, data };
}

async function assertUnavailable(answer) {
  const { code } = await answer.json();
  assert.equal(code, "STORAGE_UNAVAILABLE");
  assert.equal(answer.status, 503);
  assert.ok(Number(answer.headers.get("retry-after")) > 0);
}

/** Waits for a log line, because the log arrives a little after the response. */
async function assertLogged(server, pattern) {
  for (let waits = 0; waits < 50 && !pattern.test(server.log()); waits += 1) {
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.match(server.log(), pattern);
}

/** The status of a raw path, which `fetch` would normalise. */
function statusOf(server, path) {
  const { hostname, port } = new URL(server.url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname);
    socket.on("error", reject);
    socket.on("data", (head) => {
      resolve(Number(/^HTTP\/1\.1 (\d{3})/.exec(head.toString("latin1"))?.[1]));
      socket.destroy();
    });
    socket.write(`GET ${path} HTTP/1.1\r\nHost: ${hostname}:${port}\r\nConnection: close\r\n\r\n`);
  });
}

/** Tests that every store must pass; `store` has a `server` and its `objects`. */
function testStore(store) {
  for (const [type, path] of PICTURES) {
    test(`${type} is served with the bytes of the stored object, also with If-None-Match and HEAD`, async () => {
      const { key, url, data } = await stored(store.server, type, path);
      const object = store.objects().get(key);
      assert.equal(object.length, data.fileSize);

      const picture = await fetch(url);
      assert.equal(picture.status, 200);
      assert.equal(picture.headers.get("content-type"), type);
      assert.match(picture.headers.get("etag"), /^"[^"]+"$/);
      assert.deepEqual(Buffer.from(await picture.arrayBuffer()), object);

      const known = await fetch(url, { headers: { "If-None-Match": picture.headers.get("etag") } });
      assert.equal(known.status, 304);
      assert.equal((await known.arrayBuffer()).byteLength, 0);
      const head = await fetch(url, { method: "HEAD" });
      assert.equal(head.status, 200);
      assert.equal(head.headers.get("content-length"), String(object.length));
      assert.equal(head.headers.get("etag"), picture.headers.get("etag"));
    });
  }

  test("an unknown key gets 404 IMAGE_NOT_FOUND", async () => {
    const answer = await fetch(`${store.server.url}/${UNKNOWN}`);
    assert.equal(answer.status, 404);
    assert.equal((await answer.json()).code, "IMAGE_NOT_FOUND");
  });

  test("an object is served at its exact path only", async () => {
    const { key } = await stored(store.server);
    const others = [
      `/${key}/`,
      `//${key}`,
      `/./${key}x`,
      `/${key.replace("users/", "users%2F")}`,
      `/${key.replace("users/", "users/../")}`,
      `/${key.replace(".jpeg", ".JPEG")}`,
      `/${key.replace(/\/[^/]+$/, "/")}`,
      "/users/",
      "/users/123/images/%2e%2e/",
    ];
    for (const path of others) assert.equal(await statusOf(store.server, path), 404, path);
    assert.equal(await statusOf(store.server, `/${key}`), 200);
  });

  test("rejected uploads store no object", async () => {
    const objectsBefore = [...store.objects().keys()];
    assert.equal((await post(store.server, "just text")).status, 400);
    assert.equal((await post(store.server, fixture("jpeg/baseline-420.jpg").subarray(0, 200))).status, 422);
    assert.equal((await post(store.server, fixture("jpeg/baseline-420.jpg"), "image/jpeg", "forged")).status, 401);
    assert.deepEqual([...store.objects().keys()], objectsBefore);
  });

  test("/readyz reports the store as ok", async () => {
    const answer = await fetch(`${store.server.url}/readyz`);
    assert.equal((await answer.json()).storage, "ok");
    assert.equal(answer.status, 200);
  });
}

describe("R2", () => {
  const store = {};
  before(async () => {
    store.server = await startServer();
    store.objects = () => store.server.objects();
  });
  after(() => store.server?.stop());
  testStore(store);
});

describe("S3", () => {
  const store = {};
  let s3;
  let proxy;
  before(async () => {
    s3 = await startS3();
    proxy = await startProxy(s3.url);
    store.server = await startServer({ vars: { ...s3.vars(proxy.url), STORAGE_TIMEOUT_MS: TIMEOUT_MS } });
    store.objects = () => s3.objects();
  });
  after(() => Promise.all([store.server?.stop(), proxy?.stop(), s3?.stop()]));
  testStore(store);

  const uploadDuring = (faults, method) => {
    proxy.script(faults, { method });
    return post(store.server, fixture("jpeg/baseline-420.jpg"));
  };
  const tried = (method) => proxy.seen.filter((seen) => seen.method === method).length;

  test("an object has its content type and a cache-control of a day", async () => {
    for (const [type, path] of PICTURES) {
      const { key } = await stored(store.server, type, path);
      const { content_type, cache_control } = s3.attributes(key);
      assert.equal(content_type, type);
      assert.equal(cache_control, "public, max-age=86400");
    }
  });

  test("other objects of the bucket get 404", async () => {
    for (const key of ["secret.txt", "users/123/images/secret.txt", "users/123/secret.jpeg", "other/a.jpeg"]) {
      s3.plant(key, "private");
      assert.equal(await statusOf(store.server, `/${key}`), 404, key);
    }
    assert.equal(await statusOf(store.server, "/users/123/images/../../../secret.txt"), 404);
    assert.equal(await statusOf(store.server, "/users/123/images/..%2f..%2f..%2fsecret.txt"), 404);
  });

  for (const faults of [["500", "500"], ["503", "reset"], ["reset", "cut"], ["stall"], ["slow"]]) {
    test(`an upload is stored despite ${faults.join(" and ")}`, async () => {
      const objectsBefore = s3.objects().size;
      const answer = await uploadDuring(faults);
      assert.equal(answer.status, 201, store.server.log());
      assert.equal(tried("PUT"), faults[0] === "slow" ? 1 : faults.length + 1);
      assert.equal(s3.objects().size, objectsBefore + 1);
    });
  }

  test("an upload whose response from the store is lost is stored once and gets 201", async () => {
    const objectsBefore = s3.objects().size;
    const answer = await uploadDuring(["lost-answer"]);
    const { data } = await answer.json();
    assert.equal(answer.status, 201);
    assert.deepEqual(proxy.seen.map(({ method }) => method), ["PUT", "PUT", "HEAD"]);
    assert.equal(s3.objects().size, objectsBefore + 1);
    assert.equal(s3.objects().get(data.key).length, data.fileSize);
  });

  for (const fault of ["500", "503", "reset", "stall"]) {
    test(`with a store that always answers ${fault} an upload gets 503 in bounded time and stores nothing`, async () => {
      const rowsBefore = store.server.rows().length;
      const objectsBefore = s3.objects().size;
      const started = Date.now();
      await assertUnavailable(await uploadDuring(Array(20).fill(fault)));
      assert.ok(Date.now() - started < 4 * TIMEOUT_MS, `${Date.now() - started} ms`);
      assert.ok(proxy.seen.length <= 3, `${proxy.seen.length} attempts`);
      assert.equal(store.server.rows().length, rowsBefore);
      assert.equal(s3.objects().size, objectsBefore);
      proxy.script([]);
    });
  }

  test("403 and 404 of the store are not retried", async () => {
    for (const fault of ["403", "404"]) {
      await assertUnavailable(await uploadDuring([fault]));
      assert.deepEqual(proxy.seen.map((seen) => seen.fault), [fault]);
    }
    await assertLogged(store.server, /AccessDenied/);
    await assertLogged(store.server, /NoSuchBucket/);
  });

  test("a truncated response of the store fails the download and is not cached", async () => {
    const { key, url } = await stored(store.server);
    proxy.script(["cut"], { method: "GET" });
    const picture = await fetch(url);
    await assert.rejects(picture.arrayBuffer());
    proxy.script([]);
    const whole = Buffer.from(await (await fetch(url)).arrayBuffer());
    assert.deepEqual(whole, s3.objects().get(key), "the next download is complete");
  });

  test("/readyz gets 503 while the store fails, and 200 afterwards", async () => {
    // The answer is remembered for two seconds.
    const forgotten = () => new Promise((resolve) => setTimeout(resolve, 2_100));
    await forgotten();
    proxy.script(Array(2).fill("503"));
    const failing = await fetch(`${store.server.url}/readyz`);
    assert.equal(failing.status, 503);
    assert.equal((await failing.json()).storage, "unreachable");
    proxy.script([]);
    await forgotten();
    assert.equal((await fetch(`${store.server.url}/readyz`)).status, 200);
  });

  // Last, because the isolate remembers it.
  test("with a store without conditional writes each PUT follows a HEAD", async () => {
    const answer = await uploadDuring(["501"]);
    assert.equal(answer.status, 201);
    assert.deepEqual(proxy.seen.map(({ method }) => method), ["PUT", "HEAD", "PUT"]);
    await assertLogged(store.server, /s3_knows_no_conditional_writes/);
  });

  test("the log contains no signature and no key", () => {
    const { S3_SECRET_ACCESS_KEY, S3_ACCESS_KEY_ID } = s3.vars();
    // wrangler itself prints its variables before the first request.
    const log = store.server.log().split("\n").filter((line) => line.includes('"level"')).join("\n");
    assert.match(log, /"cause":".*","event":"request"/);
    for (const secret of ["X-Amz-Signature", "X-Amz-Credential", S3_SECRET_ACCESS_KEY, S3_ACCESS_KEY_ID]) {
      assert.ok(!log.includes(secret), secret);
    }
  });
});

describe("S3 with a wrong configuration", () => {
  let s3;
  before(async () => {
    s3 = await startS3();
  });
  after(() => s3?.stop());

  async function assertNotServing(t, vars, cause) {
    const server = await startServer({ vars: { ...s3.vars(), STORAGE_TIMEOUT_MS: TIMEOUT_MS, ...vars } });
    t.after(() => server.stop());
    const started = Date.now();
    await assertUnavailable(await post(server, fixture("jpeg/baseline-420.jpg")));
    assert.ok(Date.now() - started < 4 * TIMEOUT_MS);
    const ready = await fetch(`${server.url}/readyz`);
    assert.equal(ready.status, 503);
    assert.deepEqual(await ready.json(), { storage: "unreachable", registry: "ok", ledger: "ok", bucket: "unknown" });
    await assertLogged(server, cause);
    assert.equal(s3.objects().size, 0);
  }

  test("with a wrong secret uploads and /readyz get 503", (t) =>
    assertNotServing(t, { S3_SECRET_ACCESS_KEY: "not-the-secret" }, /SignatureDoesNotMatch/));

  // No upload here, because s3s-fs creates a missing bucket on the first write.
  test("with a missing bucket /readyz gets 503", async (t) => {
    const server = await startServer({ vars: { ...s3.vars(), S3_BUCKET: "nowhere" } });
    t.after(() => server.stop());
    const ready = await fetch(`${server.url}/readyz`);
    assert.equal(ready.status, 503);
    assert.equal((await ready.json()).storage, "unreachable");
    await assertLogged(server, /NoSuchBucket/);
  });

  test("without a server at the endpoint uploads and /readyz get 503", async (t) =>
    assertNotServing(t, { S3_ENDPOINT: `http://127.0.0.1:${await freePort()}` }, /"cause":"store: unreachable"/));

  test("/readyz names missing variables", async (t) => {
    const { S3_BUCKET, S3_SECRET_ACCESS_KEY, ...vars } = s3.vars();
    const server = await startServer({ vars });
    t.after(() => server.stop());
    const { configuration } = await (await fetch(`${server.url}/readyz`)).json();
    assert.deepEqual(configuration.map(({ variable }) => variable), ["S3_BUCKET", "S3_SECRET_ACCESS_KEY"]);
  });
});
