// `make rotate`: the planned secrets, applied to a running server; and the real wrangler sends them as one change of the right
// Worker, without a private key in any output.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { promisify } from "node:util";

import { planRotation, planUrlRotation, planWebhookRotation } from "../../.make/rotate.mjs";
import { freePort, startServer } from "./server.mjs";

const run = promisify(execFile);
const json = { "Content-Type": "application/json" };
let server;
before(async () => {
  server = await startServer();
});
after(() => server?.stop());

const published = async () => (await (await fetch(`${server.url}/.well-known/jwks.json`)).json()).keys;
const signer = (token) => JSON.parse(Buffer.from(token.split(".")[0], "base64url")).kid;
const signUp = async (email) => (await (await fetch(`${server.url}/users/signup`, { method: "POST", headers: json, body: JSON.stringify({ email, password: "correct horse battery" }) })).json()).data;
/** The status and code that an account's token gets for its profile. */
async function answers({ accessToken, user }) {
  const answer = await fetch(`${server.url}/users/${user.id}`, { headers: { Authorization: `Bearer ${accessToken}` } });
  return [answer.status, answer.ok ? undefined : (await answer.json()).code];
}

async function rotate(url, ...words) {
  const all = ["--silent", "--no-print-directory", "rotate", ...(url ? [`URL=${url}`] : []), ...words];
  return run("make", all, { encoding: "utf8" }).then((result) => ({ code: 0, ...result }), (error) => error);
}

test("after a rotation old tokens are accepted and new ones have the new key; after a leak old tokens get TOKEN_INVALID", async () => {
  const first = await signUp("first@example.org");
  const [original] = await published();
  assert.equal(signer(first.accessToken), original.kid, "the first published key signs");

  const normal = planRotation(await published());
  assert.deepEqual(Object.keys(normal.secrets).sort(), ["SIGNING_JWK", "SIGNING_JWK_PREVIOUS"]);
  assert.equal(JSON.parse(normal.secrets.SIGNING_JWK_PREVIOUS).d, undefined, "the previous key has its public members only");
  await server.restart(normal.secrets);
  const [second, previous] = await published();
  assert.deepEqual([previous.kid, second.kid === original.kid], [original.kid, false]);
  assert.deepEqual(await answers(first), [200, undefined]);
  const next = await signUp("second@example.org");
  assert.equal(signer(next.accessToken), second.kid);

  const leaked = planRotation(await published(), { leaked: true });
  assert.equal(leaked.secrets.SIGNING_JWK_PREVIOUS, null);
  assert.match(leaked.says.join(), /guest tokens, access tokens of accounts, upload tickets/);
  await server.restart(leaked.secrets);
  const left = await published();
  assert.equal(left.length, 1);
  for (const before of [first, next]) assert.deepEqual(await answers(before), [401, "TOKEN_INVALID"]);
  assert.deepEqual(await answers(await signUp("third@example.org")), [200, undefined]);
});

test("`URLS=1` rotates the key of signed URLs, and keeps the one that it is given", async () => {
  const [current, next] = ["an old key of signed URLs, 32 characters", "a new key of signed URLs, 32 characters"];
  assert.deepEqual(planUrlRotation({ current, next }).secrets, { URL_SIGNING_KEY: next, URL_SIGNING_KEY_PREVIOUS: current });
  for (const dropped of [planUrlRotation({ next }), planUrlRotation({ current, next, leaked: true })]) {
    assert.ok(![current, next].includes(dropped.secrets.URL_SIGNING_KEY_PREVIOUS));
    assert.match(dropped.says.join(), /end now/);
  }
  assert.deepEqual(Object.keys(planUrlRotation({ first: true }).secrets), ["URL_SIGNING_KEY"]);
  assert.throws(() => planUrlRotation({ next: "short" }), /32 characters/);
  const { code, stdout } = await rotate(server.url, "URLS=1", "DRY_RUN=1");
  assert.equal(code, 0);
  assert.match(stdout, /sets URL_SIGNING_KEY, sets URL_SIGNING_KEY_PREVIOUS, in one deployment/);
});

test("the secret of events is rotated with two secrets side by side, and printed once", async (t) => {
  const old = `whsec_${Buffer.alloc(32, 1).toString("base64")}`;
  const both = planWebhookRotation(old).secrets.WEBHOOK_SECRET.split(" ");
  assert.equal(both[1], old);
  assert.match(both[0], /^whsec_[A-Za-z0-9+/]{43}=$/);
  assert.equal(planWebhookRotation(both.join(" ")).secrets.WEBHOOK_SECRET.split(" ").length, 2, "the oldest is dropped");
  assert.deepEqual(planWebhookRotation(both.join(" "), { drop: true }).secrets, { WEBHOOK_SECRET: both[0] });
  assert.equal(planWebhookRotation("", { first: true }).secrets.WEBHOOK_SECRET.split(" ").length, 1);
  assert.throws(() => planWebhookRotation(), /WEBHOOK_SECRET/);
  assert.throws(() => planWebhookRotation("secret"), /whsec_/);
  const { asked, env } = await startApi(t);
  const { stdout } = await run("make", ["--silent", "rotate", "ENV=production", "WEBHOOK=1"], { encoding: "utf8", env: { ...env, WEBHOOK_SECRET: old } });
  const [{ body }] = asked.filter(({ method }) => method !== "GET");
  const [added, kept] = body.secrets.WEBHOOK_SECRET.text.split(" ");
  assert.equal(kept, old);
  assert.equal(stdout.split(added).length, 2, stdout);
  assert.ok(!stdout.includes(old));
});

test("the output contains no private key, and FIRST=1 is rejected when the deployment has a key", async () => {
  const [{ kid }] = await published();
  for (const words of [[], ["LEAKED=1"]]) {
    const { code, stdout, stderr } = await rotate(server.url, "DRY_RUN=1", ...words);
    assert.deepEqual([code, stderr], [0, ""]);
    assert.ok(stdout.includes(kid), stdout);
    assert.match(stdout, /sets SIGNING_JWK, .*in one deployment|sets SIGNING_JWK, in one deployment/);
    assert.equal(stdout.includes("SIGNING_JWK_PREVIOUS"), words.length === 0);
    assert.doesNotMatch(stdout, /"d"|kty|"x"/);
  }
  assert.match((await rotate(server.url, "FIRST=1")).stderr, /has a key already/);
  const unreachable = await rotate(`http://127.0.0.1:${await freePort()}`);
  assert.match(unreachable.stderr, /cannot be read.*FIRST=1/);
  assert.equal(unreachable.stderr.split("\n").filter((line) => line && !/^make/.test(line)).length, 1, unreachable.stderr);
  assert.match((await rotate(undefined, "ENV=staging")).stderr, /URL of staging is unknown.*URL=/);
});

/** Starts a server that replaces Cloudflare's API; the wrangler that calls it is the real one. */
async function startApi(t) {
  const asked = [];
  const api = createServer(async (request, answer) => {
    const body = Buffer.concat(await request.toArray()).toString();
    asked.push({ method: request.method, path: request.url, body: body && JSON.parse(body) });
    answer.writeHead(200, json).end(JSON.stringify({ success: true, errors: [], messages: [], result: {} }));
  });
  await new Promise((resolve) => api.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    api.closeAllConnections();
    api.close();
  });
  const env = { CLOUDFLARE_API_BASE_URL: `http://127.0.0.1:${api.address().port}`, CLOUDFLARE_API_TOKEN: "test-token", CLOUDFLARE_ACCOUNT_ID: "0".repeat(32), CI: "1" };
  return { asked, env: { ...process.env, ...env } };
}

test("`make rotate` changes both secrets of production's Worker in one request", async (t) => {
  const { asked, env } = await startApi(t);
  const { stdout } = await run("make", ["--silent", "rotate", "ENV=production", `URL=${server.url}`], { encoding: "utf8", env });
  const changes = asked.filter(({ method }) => method !== "GET");
  assert.equal(changes.length, 1, JSON.stringify(asked.map(({ method, path }) => [method, path])));
  const [{ method, path, body }] = changes;
  assert.deepEqual([method, path], ["PATCH", `/accounts/${"0".repeat(32)}/workers/scripts/the-form-images/secrets-bulk`]);
  const { SIGNING_JWK, SIGNING_JWK_PREVIOUS, ...others } = body.secrets;
  assert.deepEqual(others, {});
  const [{ x }] = await published();
  assert.deepEqual([JSON.parse(SIGNING_JWK_PREVIOUS.text).x, JSON.parse(SIGNING_JWK_PREVIOUS.text).d], [x, undefined]);
  const { d } = JSON.parse(SIGNING_JWK.text);
  assert.ok(d.length >= 42 && !stdout.includes(d));
});
