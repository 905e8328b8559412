// Tokens on the built Worker: every algorithm, signed by node:crypto, with keys inline and from a key
// server that comes, changes, hangs and goes. Tokens that are forged are tried in tests/hostile.
import assert from "node:assert/strict";
import { createPublicKey, verify } from "node:crypto";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";

import { report } from "../faults/trial.mjs";
import { algorithms, ISSUER, makeKey, mint, now, OURS, startKeyServer } from "./keys.mjs";
import { startServer } from "./server.mjs";

const jpeg = readFileSync(new URL("../fixtures/jpeg/baseline-420.jpg", import.meta.url));

const startWorker = (vars) => startServer({ vars: { ...ISSUER, ...vars } });

let batch = 0;
/** A new address of a caller, since each may send 120 requests a minute without a good token. */
const nextAddress = () => `198.51.100.${++batch}`;

async function show(server, token, address) {
  const began = Date.now();
  const answer = await fetch(`${server.url}/images`, {
    method: "POST",
    headers: { "Content-Type": "image/jpeg", Authorization: `Bearer ${token}`, "CF-Connecting-IP": address },
    body: jpeg,
  });
  const { code } = await answer.json();
  return { status: answer.status, code, retryAfter: answer.headers.get("retry-after"), ms: Date.now() - began };
}

async function assertTaken(server, token, address) {
  const { status, code } = await show(server, token, address);
  assert.equal(status, 201, code);
}

async function assertRefused(server, token, address, code = "TOKEN_INVALID", what = token) {
  const answer = await show(server, token, address);
  assert.deepEqual([answer.status, answer.code], [401, code], what);
  return answer;
}

const keys = algorithms.map((alg) => makeKey(alg, `key-${alg}`));
let keyServer;
let server;
before(async () => {
  keyServer = await startKeyServer(keys.map(({ jwk }) => jwk));
  server = await startWorker({ AUTH_JWKS_URL: keyServer.url });
});
after(async () => {
  await server?.stop();
  await keyServer?.stop();
});

test("many at a cold start cause one fetch, and all are served", async () => {
  const address = nextAddress();
  const shown = Array.from({ length: 30 }, (_, at) => show(server, mint(keys[at % keys.length]), address));
  for (const { status, code } of await Promise.all(shown)) assert.equal(status, 201, code);
  assert.deepEqual(keyServer.paths, ["/jwks.json"]);
});

test("what node signs is taken, with every algorithm", async () => {
  const address = nextAddress();
  for (const key of keys) {
    await assertTaken(server, mint(key), address);
    await assertTaken(server, mint(key, { head: { kid: undefined } }), address);
    await assertRefused(server, mint(key, { claims: { exp: now() - 60 } }), address, "TOKEN_EXPIRED");
  }
  await assertTaken(server, server.token({ sub: "with-the-secret", ...OURS }), address);
  assert.equal(keyServer.asked, 1);
});

test("what is signed here, node verifies", async () => {
  const { data } = await (await fetch(`${server.url}/auth/guest-token`)).json();
  const published = await (await fetch(`${server.url}/.well-known/jwks.json`)).json();
  const [head, payload, end] = data.token.split(".");
  const key = createPublicKey({ format: "jwk", key: published.keys[0] });
  const text = Buffer.from(`${head}.${payload}`);
  assert.ok(verify("sha256", text, { key, dsaEncoding: "ieee-p1363" }, Buffer.from(end, "base64url")));
  assert.equal(JSON.parse(Buffer.from(payload, "base64url")).iss, "urn:the-form:images");
});

test("names that nobody knows cause one fetch a minute at most, and a new key is found by it", async (t) => {
  const source = await startKeyServer([keys[0].jwk]);
  t.after(source.stop);
  const worker = await startWorker({ AUTH_JWKS_URL: source.url });
  t.after(() => worker.stop());
  await assertTaken(worker, mint(keys[0]), nextAddress());
  assert.equal(source.asked, 1);

  source.keys = [keys[0].jwk, keys[1].jwk];
  await assertTaken(worker, mint(keys[1]), nextAddress());
  assert.equal(source.asked, 2, "rotation costs one");

  const stranger = makeKey("EdDSA", "x");
  for (let round = 0; round < 3; round++) {
    const address = nextAddress();
    const shown = Array.from({ length: 100 }, (_, at) =>
      assertRefused(worker, mint({ ...stranger, kid: `made-up-${round}-${at}` }), address),
    );
    await Promise.all(shown);
  }
  assert.equal(source.asked, 2, "300 made-up names in the same minute cost none");
  await assertTaken(worker, mint(keys[0]), nextAddress());
  report(t, "tokens", { unknownNames: 300, fetchesTheyCaused: source.asked - 2 });
});

test("a key server that goes away takes nothing along that is known", async (t) => {
  const source = await startKeyServer(keys.map(({ jwk }) => jwk));
  const worker = await startWorker({ AUTH_JWKS_URL: source.url });
  t.after(() => worker.stop());
  await assertTaken(worker, mint(keys[0]), nextAddress());
  await source.stop();
  const address = nextAddress();
  for (const key of keys) await assertTaken(worker, mint(key), address);
  const stranger = makeKey("ES256", "unknown");
  for (let turn = 0; turn < 5; turn++) {
    const { ms } = await assertRefused(worker, mint(stranger), address);
    assert.ok(ms < 3_000, `${ms} ms`);
  }
  for (const key of keys) await assertTaken(worker, mint(key), address);
  report(t, "tokens", { takenDuringOutage: 2 * keys.length, refusedDuringOutage: 5 });
});

test("a key server that hangs, wanders off or never ends keeps nobody waiting", async (t) => {
  const source = await startKeyServer(keys.map(({ jwk }) => jwk));
  t.after(source.stop);
  const worker = await startWorker({ AUTH_JWKS_URL: source.url });
  t.after(() => worker.stop());
  for (const mode of ["hang", "drip", "redirect", "flood"]) {
    source.mode = mode;
    const address = nextAddress();
    const shown = await Promise.all(Array.from({ length: 20 }, () => show(worker, mint(keys[0]), address)));
    for (const answer of shown) {
      assert.deepEqual([answer.status, answer.code, answer.retryAfter], [503, "BUSY", "5"], mode);
      assert.ok(answer.ms < 5_000, `${mode}: ${answer.ms} ms`);
    }
    await assertTaken(worker, worker.token({ sub: `with-the-secret-${mode}`, ...OURS }), address);
    await new Promise((resolve) => setTimeout(resolve, 5_100));
  }
  assert.deepEqual(source.paths, Array(4).fill("/jwks.json"), "one try each, and no redirect followed");
  source.mode = "answer";
  for (const key of keys) await assertTaken(worker, mint(key), nextAddress());
  report(t, "tokens", { toldToComeBackByBadKeyServers: 80, fetchesOfBadKeyServers: 4 });
});

test("issuer and audience are demanded of the platform and not of our own tokens", async (t) => {
  const worker = await startWorker({ AUTH_JWKS: JSON.stringify({ keys: keys.map(({ jwk }) => jwk) }) });
  t.after(() => worker.stop());
  const address = nextAddress();
  for (const key of keys) {
    await assertTaken(worker, mint(key), address);
    await assertTaken(worker, mint(key, { claims: { aud: ["other", "images"] } }), address);
    await assertRefused(worker, mint(key, { claims: { iss: undefined, aud: undefined } }), address);
    await assertRefused(worker, mint(key, { claims: { aud: "other" } }), address);
    await assertRefused(worker, mint(key, { claims: { iss: "https://other.example" } }), address);
  }
  const { data } = await (await fetch(`${worker.url}/auth/guest-token`)).json();
  await assertTaken(worker, data.token, address);
});

test("without issuer and audience a key server is a configuration that is not served", async (t) => {
  const worker = await startServer({ vars: { AUTH_JWKS_URL: keyServer.url } });
  t.after(() => worker.stop());
  const answer = await fetch(`${worker.url}/readyz`);
  const { configuration } = await answer.json();
  assert.equal(answer.status, 503);
  assert.deepEqual(configuration.map(({ variable }) => variable), ["AUTH_ISSUER", "AUTH_AUDIENCE"]);
});

test("a platform names administrators only where it may, and no role that there is not", async (t) => {
  const ask = async (worker, role) => {
    const headers = { Authorization: `Bearer ${worker.token({ role })}`, "CF-Connecting-IP": nextAddress() };
    const answer = await fetch(`${worker.url}/admin/api/bans`, { headers });
    return [answer.status, (await answer.json()).code];
  };
  const open = await startServer();
  t.after(() => open.stop());
  assert.deepEqual(await ask(open, "ADMIN"), [200, undefined]);
  for (const role of ["ROOT", "admin", ""]) assert.deepEqual(await ask(open, role), [403, "ROLE_NOT_ALLOWED"], role);
  const shut = await startServer({ secrets: { PLATFORM_ADMIN: "false" } });
  t.after(() => shut.stop());
  assert.deepEqual(await ask(shut, "ADMIN"), [403, "ROLE_NOT_ALLOWED"]);
});
