// A wrong bucket (empty, misspelt, half copied, or of another deployment): the sweep removes nothing, and readiness, alerts
// and `make doctor` report it. And lost rows are registered again from the store, on R2 and on a real S3.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { promisify } from "node:util";

import { gif } from "./pictures.mjs";
import { startReceiver } from "./receiver.mjs";
import { startS3 } from "./s3.mjs";
import { startServer } from "./server.mjs";

const run = promisify(execFile);
const MAX_WAIT_MS = 40_000;

async function until(holds, what) {
  const deadline = Date.now() + MAX_WAIT_MS;
  while (!(await holds())) {
    assert.ok(Date.now() < deadline, await what());
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

async function upload(server, n, { formId, name, sub = "7" } = {}) {
  const body = new FormData();
  if (formId) body.append("formId", formId);
  body.append("image", new File([gif(n)], name ?? `${n}.gif`, { type: "image/gif" }));
  const headers = { Authorization: `Bearer ${server.token({ sub })}` };
  const answer = await fetch(`${server.url}/images`, { method: "POST", headers, body });
  const { data, detail } = await answer.json();
  assert.equal(answer.status, 201, detail);
  return data;
}

async function doctor(server) {
  const { stdout } = await run("make", ["--silent", "--no-print-directory", "doctor", `URL=${server.url}`], { encoding: "utf8" }).catch((error) => error);
  return stdout;
}

const ready = async (server) => {
  const answer = await fetch(`${server.url}/readyz`);
  return [answer.status, (await answer.json()).bucket];
};
const sweeps = (server) => server.rows("events").filter(({ kind }) => kind === "sweep");
const stops = (server, reason) => server.rows("totals").find(({ name, labels }) => name === "sweep_stops" && labels === `reason="${reason}"`)?.total ?? 0;
/** The sweep compares an image only after the lease of its upload has expired, so the lease is short. */
const LEASE = { INTENT_S: 10, STORAGE_TIMEOUT_MS: 700 };

test("with an empty or misspelt bucket no row is removed, and readiness, the alert and `make doctor` name the cause", async (t) => {
  const [s3, receiver] = await Promise.all([startS3(), startReceiver()]);
  t.after(() => Promise.all([s3.stop(), receiver.stop()]));
  const secrets = { ALERT_WEBHOOK_URL: receiver.url, ALERT_WEBHOOK_KIND: "slack" };
  const server = await startServer({ vars: { SWEEP_REPAIR: "true", RATE_PER_MINUTE: 100 }, secrets });
  t.after(server.stop);
  for (let n = 0; n < 3; n++) await upload(server, n);
  const rows = server.rows();
  assert.equal(rows.length, 3);
  assert.equal(server.deploymentId(), server.rows("deployment")[0].id);
  assert.deepEqual(await ready(server), [200, "bound"]);

  await server.restart({}, { vars: s3.vars() });
  await server.runCron();
  await until(() => stops(server, "missing") > 0, () => server.log());
  await until(() => receiver.messages.some(({ json }) => /The bucket is not this deployment's.*\(missing 1\)/.test(json.text)), () => JSON.stringify(receiver.messages));
  assert.deepEqual(server.rows(), rows, "no row is removed");
  assert.equal(s3.deploymentId(), undefined, "no id is written to the bucket");
  assert.equal(sweeps(server).at(-1).reason, "stopped");
  assert.deepEqual(await ready(server), [503, "missing"]);
  assert.match(await doctor(server), /^FAIL +ready +This is not the bucket of this database/m);

  await server.restart({}, { vars: { S3_BUCKET: "picturs" } });
  await server.runCron();
  await until(() => server.lines().some(({ event }) => event === "sweep_failed"), () => server.log());
  assert.deepEqual(server.rows(), rows, "no row is removed");
  assert.match(await doctor(server), /^FAIL +ready +The object store cannot be reached/m);

  // With its own bucket the deployment is ready again.
  await server.restart({}, { vars: { STORAGE: "r2" } });
  await server.runCron();
  assert.deepEqual(await ready(server), [200, "bound"]);
  assert.deepEqual(server.rows(), rows);
});

test("with a half-copied bucket that has the deployment's id no row is removed", async (t) => {
  const server = await startServer({ vars: { SWEEP_REPAIR: "remove", RATE_PER_MINUTE: 100 } });
  t.after(server.stop);
  const stored = [];
  for (let n = 0; n < 24; n++) stored.push(await upload(server, n));
  for (let n = 0; n < 24; n += 2) server.loseObject(stored[n].key);
  for (let runs = 1; runs <= 2; runs++) {
    await server.runCron();
    await until(() => stops(server, "too_much_missing") >= runs, () => server.log());
  }
  assert.equal(server.rows().length, 24, "no row of the first page of twenty and of the last four is removed");
  assert.deepEqual(await ready(server), [200, "bound"]);
});

test("only an administrator can bind a bucket, and the audit log has it", async (t) => {
  const server = await startServer({ vars: { SWEEP_REPAIR: "remove" } });
  t.after(server.stop);
  const { key } = await upload(server, 1);
  server.loseObject("deployment-id");
  server.loseObject(key);
  await server.runCron();
  assert.deepEqual(await ready(server), [503, "missing"]);
  assert.equal(server.rows().length, 1);
  const bind = async (token) => {
    const { code = 0, stdout, stderr } = await run("make", ["--silent", "bind-bucket", `URL=${server.url}`, `TOKEN=${token}`], { encoding: "utf8" }).catch((error) => error);
    return { code, stdout, stderr };
  };
  const refused = await bind(server.token({ role: "SERVICE" }));
  assert.notEqual(refused.code, 0);
  assert.match(refused.stderr, /ROLE_NOT_ALLOWED/);
  assert.deepEqual(await ready(server), [503, "missing"]);
  const bound = await bind(server.token({ sub: "boss", role: "ADMIN" }));
  assert.match(bound.stdout, /belongs to the database now/, bound.stderr);
  assert.deepEqual(await ready(server), [200, "bound"]);
  assert.equal(server.deploymentId(), server.rows("deployment")[0].id);
  const [event] = server.rows("events").filter(({ kind }) => kind === "bind");
  assert.deepEqual([event.subject, event.reason, event.detail], ["store", "missing", "by boss"]);
  await until(async () => (await server.runCron(), server.rows().length === 0), () => server.log());
});

/** Stores images, deletes all rows, and asserts that the sweep registers them again. */
async function assertRegisteredAgain(t, vars, store) {
  const server = await startServer({ vars: { ...LEASE, ...vars, SWEEP_REPAIR: "register" } });
  t.after(server.stop);
  await upload(server, 1, { formId: "설문-7", name: "고양이 사진.gif", sub: "ann" });
  await upload(server, 2, { sub: "bob" });
  await upload(server, 3, { formId: "f-3", sub: "cat" });
  const before = server.rows();
  assert.deepEqual(before.map(({ form_id, original_name }) => [form_id, original_name]), [["설문-7", "고양이 사진.gif"], [null, "2.gif"], ["f-3", "3.gif"]]);
  // The third object has no metadata, like those of older versions, and the ledgers have no record of any.
  const objects = store(server);
  const meanwhile = () => {
    objects.forgetMetadata(before[2].key);
    server.changeRows("DELETE FROM images");
    server.changeLedgers("uploads", "DELETE FROM uploads");
  };
  await server.restart({}, { meanwhile });
  await until(async () => (await server.runCron(), server.rows().length === 3), () => server.log());
  const [ann, bob, cat] = ["ann", "bob", "cat"].map((sub) => server.rows().find(({ owner }) => owner === sub));
  // The placeholder is in the database only.
  const plain = ({ id, created_ms, placeholder, ...row }) => row;
  assert.deepEqual(plain(ann), plain(before[0]));
  assert.deepEqual(plain(bob), plain(before[1]));
  assert.deepEqual(plain(cat), plain({ ...before[2], form_id: null, original_name: null }), "without metadata the row has what the bytes contain");
  for (const [n, row] of [ann, bob, cat].entries()) assert.ok(Math.abs(row.created_ms - before[n].created_ms) < 2_000);
  assert.equal(objects.keys().length, 3, "no object is removed");
  assert.equal(sweeps(server).at(-1).reason, "registered");
  const token = server.token({ sub: "ann" });
  const listed = await fetch(`${server.url}/images?formId=${encodeURIComponent("설문-7")}`, { headers: { Authorization: `Bearer ${token}` } });
  assert.equal((await listed.json()).data.images[0].originalFilename, "고양이 사진.gif");
}

test("lost rows are registered again from R2", async (t) => {
  await assertRegisteredAgain(t, {}, (server) => ({
    keys: () => server.keys(),
    forgetMetadata: (key) => server.changeObjects("UPDATE _mf_objects SET custom_metadata = '{}' WHERE key = ?", key),
  }));
});

test("lost rows are registered again from a real S3", async (t) => {
  const s3 = await startS3();
  t.after(s3.stop);
  await assertRegisteredAgain(t, s3.vars(), () => ({
    keys: () => [...s3.objects().keys()],
    forgetMetadata: (key) => s3.loseAttributes(key),
  }));
});
