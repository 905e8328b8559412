// The bucket of another deployment, an empty one, a misspelt one and one that was copied half: nothing is removed, and
// everybody hears of it. And rows that were lost are registered again from the store, on R2 and on a real S3.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { promisify } from "node:util";

import { gif } from "./pictures.mjs";
import { startReceiver } from "./receiver.mjs";
import { startS3 } from "./s3.mjs";
import { startServer } from "./server.mjs";

const run = promisify(execFile);
const PATIENCE_MS = 40_000;

async function until(holds, what) {
  const deadline = Date.now() + PATIENCE_MS;
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
/** Only when the lease of its upload is over is a picture anybody's to judge. */
const LEASE = { INTENT_S: 10, STORAGE_TIMEOUT_MS: 700 };

test("an empty bucket and a misspelt one take no row along, and everybody hears of it", async (t) => {
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
  await server.ring();
  await until(() => stops(server, "missing") > 0, () => server.log());
  await until(() => receiver.messages.some(({ json }) => /The bucket is not this deployment's.*\(missing 1\)/.test(json.text)), () => JSON.stringify(receiver.messages));
  assert.deepEqual(server.rows(), rows, "no row is gone");
  assert.equal(s3.deploymentId(), undefined, "and the bucket is not taken");
  assert.equal(sweeps(server).at(-1).reason, "stopped");
  assert.deepEqual(await ready(server), [503, "missing"]);
  const told = await doctor(server);
  assert.match(told, /^FAIL +ready +This is not the bucket of this database/m);

  await server.restart({}, { vars: { S3_BUCKET: "picturs" } });
  await server.ring();
  await until(() => server.lines().some(({ event }) => event === "sweep_failed"), () => server.log());
  assert.deepEqual(server.rows(), rows, "no row is gone");
  assert.match(await doctor(server), /^FAIL +ready +The object store cannot be reached/m);

  // Back at its own, all is as it was.
  await server.restart({}, { vars: { STORAGE: "r2" } });
  await server.ring();
  assert.deepEqual(await ready(server), [200, "bound"]);
  assert.deepEqual(server.rows(), rows);
});

test("a bucket that was copied half takes no row along, though it has the id", async (t) => {
  const server = await startServer({ vars: { SWEEP_REPAIR: "remove", RATE_PER_MINUTE: 100 } });
  t.after(server.stop);
  const stored = [];
  for (let n = 0; n < 24; n++) stored.push(await upload(server, n));
  for (let n = 0; n < 24; n += 2) server.loseObject(stored[n].key);
  for (let runs = 1; runs <= 2; runs++) {
    await server.ring();
    await until(() => stops(server, "too_much_missing") >= runs, () => server.log());
  }
  assert.equal(server.rows().length, 24, "neither of the first twenty nor of the last four");
  assert.deepEqual(await ready(server), [200, "bound"]);
});

test("another deployment's bucket is bound by an administrator only, and it is on record", async (t) => {
  const server = await startServer({ vars: { SWEEP_REPAIR: "remove" } });
  t.after(server.stop);
  const { key } = await upload(server, 1);
  server.loseObject("deployment-id");
  server.loseObject(key);
  await server.ring();
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
  await until(async () => (await server.ring(), server.rows().length === 0), () => server.log());
});

/** A world where pictures are stored, all rows are lost, and the sweep may register. */
async function lose(t, vars, store) {
  const server = await startServer({ vars: { ...LEASE, ...vars, SWEEP_REPAIR: "register" } });
  t.after(server.stop);
  await upload(server, 1, { formId: "설문-7", name: "고양이 사진.gif", sub: "ann" });
  await upload(server, 2, { sub: "bob" });
  await upload(server, 3, { formId: "f-3", sub: "cat" });
  const before = server.rows();
  assert.deepEqual(before.map(({ form_id, original_name }) => [form_id, original_name]), [["설문-7", "고양이 사진.gif"], [null, "2.gif"], ["f-3", "3.gif"]]);
  // The third is from before there was metadata, and the ledgers have forgotten all of them.
  const objects = store(server);
  const meanwhile = () => {
    objects.forgetMetadata(before[2].key);
    server.changeRows("DELETE FROM images");
    server.changeLedgers("DELETE FROM uploads");
  };
  await server.restart({}, { meanwhile });
  await until(async () => (await server.ring(), server.rows().length === 3), () => server.log());
  const [ann, bob, cat] = ["ann", "bob", "cat"].map((sub) => server.rows().find(({ owner }) => owner === sub));
  const plain = ({ id, created_ms, ...row }) => row;
  assert.deepEqual(plain(ann), plain(before[0]));
  assert.deepEqual(plain(bob), plain(before[1]));
  assert.deepEqual(plain(cat), plain({ ...before[2], form_id: null, original_name: null }), "read from its bytes");
  for (const [n, row] of [ann, bob, cat].entries()) assert.ok(Math.abs(row.created_ms - before[n].created_ms) < 2_000);
  assert.equal(objects.keys().length, 3, "no object is gone");
  assert.equal(sweeps(server).at(-1).reason, "registered");
  const token = server.token({ sub: "ann" });
  const listed = await fetch(`${server.url}/images?formId=${encodeURIComponent("설문-7")}`, { headers: { Authorization: `Bearer ${token}` } });
  assert.equal((await listed.json()).data.images[0].originalFilename, "고양이 사진.gif");
}

test("lost rows are registered again from R2", async (t) => {
  await lose(t, {}, (server) => ({
    keys: () => server.keys(),
    forgetMetadata: (key) => server.changeObjects("UPDATE _mf_objects SET custom_metadata = '{}' WHERE key = ?", key),
  }));
});

test("lost rows are registered again from a real S3", async (t) => {
  const s3 = await startS3();
  t.after(s3.stop);
  await lose(t, s3.vars(), () => ({
    keys: () => [...s3.objects().keys()],
    forgetMetadata: (key) => s3.loseAttributes(key),
  }));
});
