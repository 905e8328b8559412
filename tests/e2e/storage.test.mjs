// The object stores on the built Worker: one suite for R2 and S3 alike, then what only a service
// across the network can do wrong.
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

// Each upload is another user's, from another address: limits and repeated pictures stay out of it.
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

/** The log of a server comes a little after its answers. */
async function assertLogged(server, pattern) {
  for (let waits = 0; waits < 50 && !pattern.test(server.log()); waits += 1) {
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.match(server.log(), pattern);
}

/** The status of a path that is sent as it is: `fetch` would tidy it up. */
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

/** The suite that every store passes; `world` has a `server` and knows its `objects`. */
function behavesAsStore(world) {
  for (const [type, path] of PICTURES) {
    test(`${type} lies in the store byte for byte and is served as it lies`, async () => {
      const { key, url, data } = await stored(world.server, type, path);
      const object = world.objects().get(key);
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

  test("an unknown key is not found", async () => {
    const answer = await fetch(`${world.server.url}/${UNKNOWN}`);
    assert.equal(answer.status, 404);
    assert.equal((await answer.json()).code, "IMAGE_NOT_FOUND");
  });

  test("an object has one address", async () => {
    const { key } = await stored(world.server);
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
    for (const path of others) assert.equal(await statusOf(world.server, path), 404, path);
    assert.equal(await statusOf(world.server, `/${key}`), 200);
  });

  test("refused uploads leave nothing", async () => {
    const objectsBefore = [...world.objects().keys()];
    assert.equal((await post(world.server, "just text")).status, 400);
    assert.equal((await post(world.server, fixture("jpeg/baseline-420.jpg").subarray(0, 200))).status, 422);
    assert.equal((await post(world.server, fixture("jpeg/baseline-420.jpg"), "image/jpeg", "forged")).status, 401);
    assert.deepEqual([...world.objects().keys()], objectsBefore);
  });

  test("the store is ready", async () => {
    const answer = await fetch(`${world.server.url}/readyz`);
    assert.equal((await answer.json()).storage, "ok");
    assert.equal(answer.status, 200);
  });
}

describe("R2", () => {
  const world = {};
  before(async () => {
    world.server = await startServer();
    world.objects = () => world.server.objects();
  });
  after(() => world.server?.stop());
  behavesAsStore(world);
});

describe("S3", () => {
  const world = {};
  let s3;
  let proxy;
  before(async () => {
    s3 = await startS3();
    proxy = await startProxy(s3.url);
    world.server = await startServer({ vars: { ...s3.vars(proxy.url), STORAGE_TIMEOUT_MS: TIMEOUT_MS } });
    world.objects = () => s3.objects();
  });
  after(() => Promise.all([world.server?.stop(), proxy?.stop(), s3?.stop()]));
  behavesAsStore(world);

  const uploadDuring = (faults, method) => {
    proxy.script(faults, { method });
    return post(world.server, fixture("jpeg/baseline-420.jpg"));
  };
  const tried = (method) => proxy.seen.filter((seen) => seen.method === method).length;

  test("an object says what it is and that it never changes", async () => {
    for (const [type, path] of PICTURES) {
      const { key } = await stored(world.server, type, path);
      const { content_type, cache_control } = s3.attributes(key);
      assert.equal(content_type, type);
      assert.equal(cache_control, "public, max-age=31536000, immutable");
    }
  });

  test("nothing else of the bucket is reachable", async () => {
    for (const key of ["secret.txt", "users/123/images/secret.txt", "users/123/secret.jpeg", "other/a.jpeg"]) {
      s3.plant(key, "private");
      assert.equal(await statusOf(world.server, `/${key}`), 404, key);
    }
    assert.equal(await statusOf(world.server, "/users/123/images/../../../secret.txt"), 404);
    assert.equal(await statusOf(world.server, "/users/123/images/..%2f..%2f..%2fsecret.txt"), 404);
  });

  for (const faults of [["500", "500"], ["503", "reset"], ["reset", "cut"], ["stall"], ["slow"]]) {
    test(`an upload gets past ${faults.join(" and ")}`, async () => {
      const objectsBefore = s3.objects().size;
      const answer = await uploadDuring(faults);
      assert.equal(answer.status, 201, world.server.log());
      assert.equal(tried("PUT"), faults[0] === "slow" ? 1 : faults.length + 1);
      assert.equal(s3.objects().size, objectsBefore + 1);
    });
  }

  test("an upload whose answer is lost is stored once and acknowledged once", async () => {
    const objectsBefore = s3.objects().size;
    const answer = await uploadDuring(["lost-answer"]);
    const { data } = await answer.json();
    assert.equal(answer.status, 201);
    assert.deepEqual(proxy.seen.map(({ method }) => method), ["PUT", "PUT", "HEAD"]);
    assert.equal(s3.objects().size, objectsBefore + 1);
    assert.equal(s3.objects().get(data.key).length, data.fileSize);
  });

  for (const fault of ["500", "503", "reset", "stall"]) {
    test(`a service that only knows ${fault} is given up in bounded time, and nothing is acknowledged`, async () => {
      const rowsBefore = world.server.rows().length;
      const objectsBefore = s3.objects().size;
      const started = Date.now();
      await assertUnavailable(await uploadDuring(Array(20).fill(fault)));
      assert.ok(Date.now() - started < 4 * TIMEOUT_MS, `${Date.now() - started} ms`);
      assert.ok(proxy.seen.length <= 3, `${proxy.seen.length} attempts`);
      assert.equal(world.server.rows().length, rowsBefore);
      assert.equal(s3.objects().size, objectsBefore);
      proxy.script([]);
    });
  }

  test("what would fail again is not tried again", async () => {
    for (const fault of ["403", "404"]) {
      await assertUnavailable(await uploadDuring([fault]));
      assert.deepEqual(proxy.seen.map((seen) => seen.fault), [fault]);
    }
    await assertLogged(world.server, /AccessDenied/);
    await assertLogged(world.server, /NoSuchBucket/);
  });

  test("a picture that breaks off on its way is no whole picture", async () => {
    const { key, url } = await stored(world.server);
    proxy.script(["cut"], { method: "GET" });
    const picture = await fetch(url);
    await assert.rejects(picture.arrayBuffer());
    proxy.script([]);
    const whole = Buffer.from(await (await fetch(url)).arrayBuffer());
    assert.deepEqual(whole, s3.objects().get(key), "nor is a copy of it kept");
  });

  test("readiness names a store that fails, and recovers with it", async () => {
    proxy.script(Array(2).fill("503"));
    const failing = await fetch(`${world.server.url}/readyz`);
    assert.equal(failing.status, 503);
    assert.equal((await failing.json()).storage, "unreachable");
    proxy.script([]);
    assert.equal((await fetch(`${world.server.url}/readyz`)).status, 200);
  });

  // Late, since the isolate remembers it.
  test("a service without conditional writes is asked before each write", async () => {
    const answer = await uploadDuring(["501"]);
    assert.equal(answer.status, 201);
    assert.deepEqual(proxy.seen.map(({ method }) => method), ["PUT", "HEAD", "PUT"]);
    await assertLogged(world.server, /s3_knows_no_conditional_writes/);
  });

  test("no signature and no key is ever logged", () => {
    const { S3_SECRET_ACCESS_KEY, S3_ACCESS_KEY_ID } = s3.vars();
    // Wrangler itself prints the variables that it was started with, before the first request.
    const log = world.server.log().split("\n").filter((line) => line.includes('"level"')).join("\n");
    assert.match(log, /"cause":".*","event":"request"/);
    for (const secret of ["X-Amz-Signature", "X-Amz-Credential", S3_SECRET_ACCESS_KEY, S3_ACCESS_KEY_ID]) {
      assert.ok(!log.includes(secret), secret);
    }
  });
});

describe("S3, set up wrongly", () => {
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

  test("a wrong secret stores nothing, and readiness says so", (t) =>
    assertNotServing(t, { S3_SECRET_ACCESS_KEY: "not-the-secret" }, /SignatureDoesNotMatch/));

  // s3s-fs makes a bucket of whatever is written to, so an upload is no question here.
  test("a missing bucket is not ready", async (t) => {
    const server = await startServer({ vars: { ...s3.vars(), S3_BUCKET: "nowhere" } });
    t.after(() => server.stop());
    const ready = await fetch(`${server.url}/readyz`);
    assert.equal(ready.status, 503);
    assert.equal((await ready.json()).storage, "unreachable");
    await assertLogged(server, /NoSuchBucket/);
  });

  test("a server that is not there stores nothing, and readiness says so", async (t) =>
    assertNotServing(t, { S3_ENDPOINT: `http://127.0.0.1:${await freePort()}` }, /"cause":"store: unreachable"/));

  test("a missing variable is named", async (t) => {
    const { S3_BUCKET, S3_SECRET_ACCESS_KEY, ...vars } = s3.vars();
    const server = await startServer({ vars });
    t.after(() => server.stop());
    const { configuration } = await (await fetch(`${server.url}/readyz`)).json();
    assert.deepEqual(configuration.map(({ variable }) => variable), ["S3_BUCKET", "S3_SECRET_ACCESS_KEY"]);
  });
});
