// Tokens on the built Worker: every algorithm, signed by node:crypto, with keys inline and from a key server that rotates,
// fails and stalls. Forged tokens are in tests/hostile.
import assert from "node:assert/strict";
import { createHash, createPublicKey, verify } from "node:crypto";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";

import { report } from "../faults/trial.mjs";
import { algorithms, ISSUER, makeKey, mint, now, OURS, startKeyServer } from "./keys.mjs";
import { hs256, startServer } from "./server.mjs";

const jpeg = readFileSync(new URL("../fixtures/jpeg/baseline-420.jpg", import.meta.url));

const startWorker = (vars) => startServer({ vars: { ...ISSUER, ...vars } });

let batch = 0;
/** A new client IP, because each may send 120 requests a minute without a valid token. */
const nextAddress = () => `198.51.100.${++batch}`;

async function send(server, token, address) {
  const began = Date.now();
  const answer = await fetch(`${server.url}/images`, {
    method: "POST",
    headers: { "Content-Type": "image/jpeg", Authorization: `Bearer ${token}`, "CF-Connecting-IP": address },
    body: jpeg,
  });
  const { code } = await answer.json();
  return { status: answer.status, code, retryAfter: answer.headers.get("retry-after"), ms: Date.now() - began };
}

async function assertAccepted(server, token, address) {
  const { status, code } = await send(server, token, address);
  assert.equal(status, 201, code);
}

async function assertRefused(server, token, address, code = "TOKEN_INVALID", what = token) {
  const answer = await send(server, token, address);
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

test("concurrent uploads at a cold start cause one fetch of the keys and get 201", async () => {
  const address = nextAddress();
  const responses = Array.from({ length: 30 }, (_, at) => send(server, mint(keys[at % keys.length]), address));
  for (const { status, code } of await Promise.all(responses)) assert.equal(status, 201, code);
  assert.deepEqual(keyServer.paths, ["/jwks.json"]);
});

test("tokens of every algorithm get 201, with or without a kid; expired ones get TOKEN_EXPIRED", async () => {
  const address = nextAddress();
  for (const key of keys) {
    await assertAccepted(server, mint(key), address);
    await assertAccepted(server, mint(key, { head: { kid: undefined } }), address);
    await assertRefused(server, mint(key, { claims: { exp: now() - 60 } }), address, "TOKEN_EXPIRED");
  }
  await assertAccepted(server, server.token({ sub: "with-the-secret", ...OURS }), address);
  assert.equal(keyServer.asked, 1);
});

test("node verifies a guest token with the published key", async () => {
  const { data } = await (await fetch(`${server.url}/auth/guest-token`)).json();
  const published = await (await fetch(`${server.url}/.well-known/jwks.json`)).json();
  const [head, payload, end] = data.token.split(".");
  const key = createPublicKey({ format: "jwk", key: published.keys[0] });
  const text = Buffer.from(`${head}.${payload}`);
  assert.ok(verify("sha256", text, { key, dsaEncoding: "ieee-p1363" }, Buffer.from(end, "base64url")));
  assert.equal(JSON.parse(Buffer.from(payload, "base64url")).iss, "urn:the-form:images");
});

// They run at the same time on different servers, because one waits for timeouts.
describe("on servers of their own", { concurrency: 3 }, () => {
  test("unknown key ids cause at most one fetch a minute, which finds a new key; in an outage known keys are enough", async (t) => {
    const known = keys.map(({ jwk }) => jwk);
    const source = await startKeyServer(known);
    const worker = await startWorker({ AUTH_JWKS_URL: source.url });
    t.after(() => worker.stop());
    await assertAccepted(worker, mint(keys[0]), nextAddress());
    assert.equal(source.asked, 1);

    const added = makeKey("ES256", "added");
    source.keys = [...known, added.jwk];
    await assertAccepted(worker, mint(added), nextAddress());
    assert.equal(source.asked, 2, "a new key causes one fetch");

    const unknown = makeKey("EdDSA", "x");
    for (let round = 0; round < 3; round++) {
      const address = nextAddress();
      const responses = Array.from({ length: 100 }, (_, at) =>
        assertRefused(worker, mint({ ...unknown, kid: `unknown-${round}-${at}` }), address),
      );
      await Promise.all(responses);
    }
    assert.equal(source.asked, 2, "300 unknown key ids in the same minute cause no fetch");
    await assertAccepted(worker, mint(keys[0]), nextAddress());
    report(t, "tokens", { unknownNames: 300, fetchesTheyCaused: source.asked - 2 });

    await source.stop();
    const address = nextAddress();
    for (const key of keys) await assertAccepted(worker, mint(key), address);
    for (let turn = 0; turn < 5; turn++) {
      const { ms } = await assertRefused(worker, mint(unknown), address);
      assert.ok(ms < 3_000, `${ms} ms`);
    }
    for (const key of keys) await assertAccepted(worker, mint(key), address);
    report(t, "tokens", { takenDuringOutage: 2 * keys.length, refusedDuringOutage: 5 });
  });

  test("with a key server that stalls, redirects or sends too much, uploads get BUSY within 5 s", async (t) => {
    const source = await startKeyServer(keys.map(({ jwk }) => jwk));
    t.after(source.stop);
    const worker = await startWorker({ AUTH_JWKS_URL: source.url });
    t.after(() => worker.stop());
    for (const mode of ["hang", "drip", "redirect", "flood"]) {
      source.mode = mode;
      const address = nextAddress();
      const responses = await Promise.all(Array.from({ length: 20 }, () => send(worker, mint(keys[0]), address)));
      for (const answer of responses) {
        assert.deepEqual([answer.status, answer.code, answer.retryAfter], [503, "BUSY", "5"], mode);
        assert.ok(answer.ms < 5_000, `${mode}: ${answer.ms} ms`);
      }
      await assertAccepted(worker, worker.token({ sub: `with-the-secret-${mode}`, ...OURS }), address);
      await new Promise((resolve) => setTimeout(resolve, 5_100));
    }
    assert.deepEqual(source.paths, Array(4).fill("/jwks.json"), "one fetch each, and no redirect is followed");
    source.mode = "answer";
    for (const key of keys) await assertAccepted(worker, mint(key), nextAddress());
    report(t, "tokens", { busyWithBadKeyServers: 80, fetchesOfBadKeyServers: 4 });
  });

  test("each issuer vouches for its own users with its own keys; issuer and audience are required of the platform's tokens, and not of our own", async (t) => {
    const [realm, shop] = [makeKey("RS256", "realm-key"), makeKey("ES256", "shop-key")];
    const [realmServer, shopServer] = await Promise.all([startKeyServer([realm.jwk]), startKeyServer([shop.jwk])]);
    t.after(() => Promise.all([realmServer.stop(), shopServer.stop()]));
    const issuers = [
      { name: "kc", issuer: "https://sso.example/realms/r", audience: "images", jwksUrl: realmServer.url, roles: ["SERVICE", "USER"], roleClaim: "realm_access.roles", roleMap: { "back-end": "SERVICE", member: "USER" } },
      { name: "shop", issuer: "https://shop.example", audience: "images", jwksUrl: shopServer.url },
      { name: "old", issuer: "https://old.example", hs256Secret: "OLD_SECRET" },
    ];
    const OLD_SECRET = "the secret of an older system, 32 bytes";
    const inline = { AUTH_JWKS: JSON.stringify({ keys: keys.map(({ jwk }) => jwk) }) };
    const worker = await startServer({ vars: { ...ISSUER, ...inline, AUTH_ISSUERS: JSON.stringify(issuers) }, secrets: { OLD_SECRET } });
    t.after(() => worker.stop());
    const address = nextAddress();
    for (const key of keys) {
      await assertAccepted(worker, mint(key), address);
      await assertAccepted(worker, mint(key, { claims: { aud: ["other", "images"] } }), address);
      await assertRefused(worker, mint(key, { claims: { iss: undefined, aud: undefined } }), address);
      await assertRefused(worker, mint(key, { claims: { aud: "other" } }), address);
      await assertRefused(worker, mint(key, { claims: { iss: "https://other.example" } }), address);
    }
    const { data } = await (await fetch(`${worker.url}/auth/guest-token`)).json();
    await assertAccepted(worker, data.token, address);
    const upload = async (token) => {
      const answer = await send(worker, token, nextAddress());
      return answer.status === 201 ? worker.rows().at(-1).owner : answer.code;
    };
    const of = (issuer, claims) => ({ claims: { iss: issuer, ...claims } });
    const roles = (...roles) => of(issuers[0].issuer, { sub: "f1c4f64e-2c0c-4cda-8c9f-9f3f8f3a2b0e", realm_access: { roles } });
    assert.equal(await upload(mint(realm, roles("offline_access", "member"))), "kc-f1c4f64e-2c0c-4cda-8c9f-9f3f8f3a2b0e");
    assert.equal(await upload(mint(realm, roles("offline_access"))), "ROLE_NOT_ALLOWED");
    assert.equal(await upload(mint(shop, of(issuers[1].issuer, { sub: "auth0|1" }))), `shop-${createHash("sha256").update("https://shop.example\nauth0|1").digest("base64url").slice(0, 22)}`);
    assert.equal(await upload(hs256(OLD_SECRET, { iss: issuers[2].issuer, sub: "7" }, 60)), "old-7");
    assert.equal(await upload(worker.token({ sub: "8", ...OURS })), "8", "the platform beside them");
    for (const [what, token] of [
      ["the shop for the realm", mint(shop, roles("member"))],
      ["the realm for the shop", mint(realm, of(issuers[1].issuer))],
      ["the old system for the shop", hs256(OLD_SECRET, { iss: issuers[1].issuer, aud: "images" }, 60)],
      ["the platform for the shop", worker.token({ iss: issuers[1].issuer, aud: "images" })],
      ["the platform with a user of the shop", worker.token({ sub: "shop-1", ...OURS })],
    ]) assert.equal(await upload(token), "TOKEN_INVALID", what);
    assert.equal(await upload(mint(shop, of(issuers[1].issuer, { role: "SERVICE" }))), "ROLE_NOT_ALLOWED");
    // A back end of the realm acts for others.
    const service = mint(realm, roles("member", "back-end"));
    const listed = await fetch(`${worker.url}/images?userId=old-7`, { headers: { Authorization: `Bearer ${service}` } });
    assert.equal((await listed.json()).data.images.length, 1);
    // For the first token, and for the key of the other issuer, which the key set does not have.
    assert.deepEqual([realmServer.asked, shopServer.asked], [2, 2]);
  });
});
