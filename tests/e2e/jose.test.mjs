// Interoperability with jose: it verifies the tokens issued here with the published keys, its tokens are accepted with each
// algorithm, and a key rotation keeps older tokens valid.
import assert from "node:assert/strict";
import { test } from "node:test";
import { exportJWK, generateKeyPair, jwtVerify, createRemoteJWKSet, SignJWT } from "jose";

import { startServer } from "./server.mjs";

const list = (server, token) => fetch(`${server.url}/images`, { headers: { Authorization: `Bearer ${token}` } });
const post = (server, path, json) =>
  fetch(server.url + path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(json) }).then((answer) => answer.json());

test("jose verifies tokens issued here, and tokens signed by jose get 200 or TOKEN_EXPIRED", async (t) => {
  const made = await Promise.all(["RS256", "ES256", "EdDSA"].map(async (alg) => ({ alg, ...(await generateKeyPair(alg, { extractable: true })) })));
  const keys = await Promise.all(made.map(async ({ alg, publicKey }) => ({ ...(await exportJWK(publicKey)), kid: alg, alg, use: "sig" })));
  const server = await startServer({ vars: { AUTH_JWKS: JSON.stringify({ keys }) } });
  t.after(() => server.stop());

  const published = createRemoteJWKSet(new URL(`${server.url}/.well-known/jwks.json`));
  const check = (token) => jwtVerify(token, published, { issuer: "urn:the-form:images", algorithms: ["ES256"] });
  const signed = await post(server, "/users/signup", { email: "ann@example.org", password: "a good password" });
  const { payload } = await check(signed.data.accessToken);
  const { iss, sid, account_since: since, ...others } = payload;
  assert.deepEqual(others, signed.data.payload);
  assert.match(sid, /^[0-9a-f]{32}$/);
  assert.equal(since, payload.iat);
  const guest = await fetch(`${server.url}/auth/guest-token`).then((answer) => answer.json());
  assert.equal((await check(guest.data.token)).payload.role, "GUEST");
  await assert.rejects(check(`${guest.data.token.slice(0, -4)}AAAA`));

  const signers = [...made.map(({ alg, privateKey }) => ({ alg, key: privateKey, kid: alg })), { alg: "HS256", key: new TextEncoder().encode(server.secret) }];
  for (const { alg, key, kid } of signers) {
    const sign = (exp) => new SignJWT({ role: "USER" }).setProtectedHeader({ alg, kid, typ: "JWT" }).setSubject("of-jose").setIssuedAt().setExpirationTime(exp).sign(key);
    assert.equal((await list(server, await sign("1m"))).status, 200, alg);
    const late = await list(server, await sign(Math.floor(Date.now() / 1000) - 60));
    assert.equal((await late.json()).code, "TOKEN_EXPIRED", alg);
  }
});

test("after a rotation new tokens have the new key, and tokens of the previous key are accepted", async (t) => {
  const { privateKey, publicKey } = await generateKeyPair("ES256", { extractable: true });
  const previous = await startServer();
  t.after(() => previous.stop());
  const { data } = await fetch(`${previous.url}/auth/guest-token`).then((answer) => answer.json());
  const next = await startServer({ signing: privateKey, previous: previous.signing });
  t.after(() => next.stop());
  assert.equal((await list(next, data.token)).status, 200, "a token from before the rotation");
  const fresh = await fetch(`${next.url}/auth/guest-token`).then((answer) => answer.json());
  await jwtVerify(fresh.data.token, publicKey);
  const published = createRemoteJWKSet(new URL(`${next.url}/.well-known/jwks.json`));
  for (const token of [data.token, fresh.data.token]) assert.ok(await jwtVerify(token, published));
  const { keys } = await fetch(`${next.url}/.well-known/jwks.json`).then((answer) => answer.json());
  assert.deepEqual(keys.map(({ d }) => d), [undefined, undefined]);
  assert.equal((await list(previous, fresh.data.token)).status, 401, "the new key is unknown to the previous Worker");
});
