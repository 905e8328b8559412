// `make deploy` and `make destroy` with the real wrangler and the real doctor: the account is a server of this test (tests/e2e/cloudflare.mjs), and the
// address at which the doctor looks is a local server. Part of the long tests, because wrangler starts some twenty times.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { after, before, test } from "node:test";

import { startAccount } from "../e2e/cloudflare.mjs";
import { freePort, startServer } from "../e2e/server.mjs";

const WORKER = "the-form-images-staging";
const GIVEN = { METRICS_TOKEN: "m".repeat(40), AUTH_HS256_SECRET: "h".repeat(40) };
let account;
let server;
before(async () => {
  account = await startAccount();
  server = await startServer();
});
after(async () => {
  account?.stop();
  await server?.stop();
});

function make(words, { input = "", env = {} } = {}) {
  const child = spawn("make", ["--silent", "--no-print-directory", ...words, "ENV=staging"], { env: { ...account.env, ...GIVEN, ...env } });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => (output += text));
  child.stdin.end(input);
  return new Promise((resolve) => child.on("exit", (code) => resolve({ code, output })));
}
const split = () => account.state.workers.get(WORKER).deployments.map(({ versions }) => versions.map(({ percentage }) => percentage).join("/"));

test("a deployment into an empty account creates database, bucket, secrets and Worker, and the doctor finds nothing", async () => {
  const { code, output } = await make(["deploy", `URL=${server.url}`]);
  assert.equal(code, 0, output);
  assert.match(output, /No problems found/);
  assert.deepEqual(account.unknown, [], "the account answers all that wrangler asks");
  assert.deepEqual([...account.state.databases.keys(), ...account.state.buckets.keys()], [WORKER, WORKER]);
  assert.deepEqual([...account.state.workers.get(WORKER).secrets].sort(), ["AUTH_HS256_SECRET", "METRICS_TOKEN", "SIGNING_JWK", "URL_SIGNING_KEY"]);
  assert.ok(!output.includes(GIVEN.METRICS_TOKEN), "secrets are not printed");
  const at = (pattern) => account.asked.findIndex(({ path }) => pattern.test(path));
  assert.ok(at(/\/query$/) < at(/^\/workers\/scripts\/[^/]+$/), "migrations come before the Worker");
});

test("a second deployment in steps creates nothing, and when the doctor finds a problem, the old version gets all traffic", async () => {
  const uuids = [...account.state.databases.values()];
  const good = await make(["deploy", `URL=${server.url}`, "STEPS=10,100", "PAUSE=0"]);
  assert.equal(good.code, 0, good.output);
  assert.deepEqual(split(), ["100", "10/90", "0/100", "100"]);
  const bad = await make(["deploy", `URL=http://127.0.0.1:${await freePort()}`, "STEPS=10,100", "PAUSE=0"]);
  assert.notEqual(bad.code, 0);
  assert.match(bad.output, /gets all traffic again/);
  assert.deepEqual(split().slice(0, 2), ["100", "0/100"]);
  const [now] = account.state.workers.get(WORKER).deployments[0].versions;
  assert.equal(now.version_id, account.state.workers.get(WORKER).versions[1].id, "the one that the doctor accepted");
  assert.deepEqual([...account.state.databases.values()], uuids);
});

test("`make destroy` asks twice, deletes nothing without both answers, and can be repeated", async () => {
  for (const input of ["", `${WORKER}\n`, `${WORKER}\nyes\n`, "yes\nyes\n"]) {
    const { code, output } = await make(["destroy"], { input });
    assert.notEqual(code, 0);
    assert.match(output, /Nothing was deleted/);
  }
  assert.equal(account.state.workers.size, 1);
  account.state.buckets.set(WORKER, 3);
  const input = `${WORKER}\ndelete ${WORKER}\n`;
  const full = await make(["destroy"], { input });
  assert.notEqual(full.code, 0);
  assert.match(full.output, /still has pictures. Empty it/);
  account.state.buckets.set(WORKER, 0);
  const again = await make(["destroy"], { input });
  assert.equal(again.code, 0, again.output);
  assert.match(again.output, /Worker the-form-images-staging does not exist.*bucket the-form-images-staging is deleted/s);
  assert.deepEqual([account.state.workers.size, account.state.databases.size, account.state.buckets.size], [0, 0, 0]);
});
