// Tokens on the built Worker: every algorithm, signed by node:crypto, with keys inline and from a key
// server that comes, changes, hangs and goes.
import assert from "node:assert/strict";
import { createHmac, createPublicKey, generateKeyPairSync, sign, verify } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { after, before, test } from "node:test";

import { startServer } from "./server.mjs";

const jpeg = readFileSync(new URL("../fixtures/jpeg/baseline-420.jpg", import.meta.url));
const encode = (value) => Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");
const now = () => Math.floor(Date.now() / 1000);

/** A key pair of each kind, and how node signs with it. */
const makers = {
  RS256: () => generateKeyPairSync("rsa", { modulusLength: 2048 }),
  ES256: () => generateKeyPairSync("ec", { namedCurve: "P-256" }),
  EdDSA: () => generateKeyPairSync("ed25519"),
};
const signature = {
  RS256: (key, text) => sign("sha256", text, key),
  ES256: (key, text) => sign("sha256", text, { key, dsaEncoding: "ieee-p1363" }),
  EdDSA: (key, text) => sign(null, text, key),
  HS256: (key, text) => createHmac("sha256", key).update(text).digest(),
};

function makeKey(alg, kid) {
  const { publicKey, privateKey } = makers[alg]();
  return { alg, kid, privateKey, publicKey, jwk: { ...publicKey.export({ format: "jwk" }), kid, alg, use: "sig" } };
}

let users = 0;
/** A token of this key for a user of its own; `head` and `claims` change what it says. */
function mint({ alg, kid, privateKey }, { head = {}, claims = {} } = {}) {
  const payload = { sub: `user-${++users}`, exp: now() + 60, ...claims };
  const text = `${encode({ alg, kid, ...head })}.${encode(payload)}`;
  return `${text}.${signature[alg](privateKey, Buffer.from(text)).toString("base64url")}`;
}

/** A server that publishes keys, counts who asks, and can be made to hang or to go away. */
async function startKeyServer(keys = []) {
  const state = { asked: 0, paths: [], keys, mode: "answer" };
  const server = createServer((request, response) => {
    state.asked += 1;
    state.paths.push(request.url);
    if (state.mode === "hang") return;
    if (state.mode === "drip") return void response.writeHead(200).write('{"keys":[');
    if (state.mode === "redirect") return void response.writeHead(302, { Location: "/elsewhere.json" }).end();
    if (state.mode === "flood") return void response.end(" ".repeat(1_000_000) + JSON.stringify({ keys: state.keys }));
    response.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify({ keys: state.keys }));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  state.url = `http://127.0.0.1:${server.address().port}/jwks.json`;
  state.stop = () => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  };
  return state;
}

/** A Worker that bans nobody for the many forged tokens that it is shown here. */
const startWorker = (vars) => startServer({ vars: { STRIKES_TO_BAN: "1000", ...vars } });

let batch = 0;
/** A new address of a caller, since each may send 120 requests a minute. */
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

const keys = Object.keys(makers).map((alg) => makeKey(alg, `key-${alg}`));
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
  await assertTaken(server, server.token({ sub: "with-the-secret" }), address);
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

test("forged tokens are refused, and nobody asks the addresses in them", async () => {
  const address = nextAddress();
  const attacker = await startKeyServer([makeKey("ES256", "key-ES256").jwk]);
  const trap = attacker.url;
  try {
    for (const key of keys) {
      const stranger = makeKey(key.alg, key.kid);
      const good = mint(key);
      const [head, payload, end] = good.split(".");
      const der = key.alg === "ES256" ? sign("sha256", Buffer.from(`${head}.${payload}`), key.privateKey) : undefined;
      const publicPem = key.publicKey.export({ format: "pem", type: "spki" });
      const forged = {
        "another key": mint(stranger),
        "another key, brought along": mint(stranger, { head: { jwk: stranger.jwk } }),
        "a key set of its own": mint(stranger, { head: { jku: trap } }),
        "a certificate of its own": mint(stranger, { head: { x5u: trap } }),
        "a key set of its own, well signed": mint(key, { head: { jku: trap } }),
        "a name that is an address": mint(stranger, { head: { kid: trap } }),
        "an unknown extension": mint(key, { head: { crit: ["exp"] } }),
        "no algorithm": `${encode({ alg: "none", kid: key.kid })}.${payload}.`,
        "the public key as a secret": mint({ alg: "HS256", kid: key.kid, privateKey: publicPem }),
        "another algorithm's name": mint(key, { head: { alg: key.alg === "RS256" ? "ES256" : "RS256" } }),
        "a longer hash": mint(key, { head: { alg: "RS512" } }),
        "no expiry": mint(key, { claims: { exp: undefined } }),
        "a text for expiry": mint(key, { claims: { exp: "9999999999" } }),
        "not yet": mint(key, { claims: { nbf: now() + 120 } }),
        "an unknown role": mint(key, { claims: { role: "ROOT" } }),
        "a number for a user": mint(key, { claims: { sub: 123 } }),
        "padding": `${good}=`,
        "four parts": `${good}.`,
        "a turned bit": `${head}.${payload}.${end.slice(0, -6)}${end.at(-6) === "A" ? "B" : "A"}${end.slice(-5)}`,
        ...(der && { "a DER signature": `${head}.${payload}.${der.toString("base64url")}` }),
      };
      for (const [what, token] of Object.entries(forged)) {
        await assertRefused(server, token, address, "TOKEN_INVALID", `${key.alg}: ${what}`);
      }
    }
    assert.equal(attacker.asked, 0);
    assert.deepEqual(new Set(keyServer.paths), new Set(["/jwks.json"]));
  } finally {
    await attacker.stop();
  }
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
    await assertTaken(worker, worker.token({ sub: `with-the-secret-${mode}` }), address);
    await new Promise((resolve) => setTimeout(resolve, 5_100));
  }
  assert.deepEqual(source.paths, Array(4).fill("/jwks.json"), "one try each, and no redirect followed");
  source.mode = "answer";
  for (const key of keys) await assertTaken(worker, mint(key), nextAddress());
});

test("issuer and audience are demanded of the platform and not of our own tokens", async (t) => {
  const vars = {
    AUTH_JWKS: JSON.stringify({ keys: keys.map(({ jwk }) => jwk) }),
    AUTH_ISSUER: "https://login.example",
    AUTH_AUDIENCE: "images",
  };
  const worker = await startWorker(vars);
  t.after(() => worker.stop());
  const address = nextAddress();
  const iss = vars.AUTH_ISSUER;
  for (const key of keys) {
    await assertTaken(worker, mint(key, { claims: { iss, aud: "images" } }), address);
    await assertTaken(worker, mint(key, { claims: { iss, aud: ["other", "images"] } }), address);
    await assertRefused(worker, mint(key), address);
    await assertRefused(worker, mint(key, { claims: { iss, aud: "other" } }), address);
    await assertRefused(worker, mint(key, { claims: { iss: "https://other.example", aud: "images" } }), address);
  }
  const { data } = await (await fetch(`${worker.url}/auth/guest-token`)).json();
  await assertTaken(worker, data.token, address);
});
