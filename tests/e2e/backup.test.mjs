// The restore procedure of docs/operate.md: a new deployment from the exported database and the copied bucket has every image
// and account, accepts uploads, and erases again who was erased after the backup.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { appendFileSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, test } from "node:test";

import { gif } from "./pictures.mjs";
import { startS3 } from "./s3.mjs";
import { startServer } from "./server.mjs";

const account = { email: "owner@example.org", password: "correct horse battery" };
const stops = [];
let [server, s3, backup, erasedFile] = [];
before(async () => {
  s3 = await startS3();
  stops.push(s3.stop);
  server = await startServer({ vars: s3.vars() });
  stops.push(server.stop);
  const folder = mkdtempSync(join(tmpdir(), "the-form-backup-"));
  stops.push(() => rmSync(folder, { recursive: true }));
  backup = join(folder, "backup");
  erasedFile = join(folder, "erased.sql");
});
after(async () => {
  for (const stop of stops.reverse()) await stop();
});

const post = (at, path, body, headers) => fetch(at.url + path, { method: "POST", body, headers });
const upload = async (at, body) => (await post(at, "/images", body, { Authorization: `Bearer ${at.token()}`, "Content-Type": "image/gif" })).json();
const list = async (at) => (await (await fetch(`${at.url}/images`, { headers: { Authorization: `Bearer ${at.token()}` } })).json()).data.images;
const json = { "Content-Type": "application/json" };

/** Runs a script of `.make` as make does. */
const make = (name, ...words) =>
  execFileSync("node", [`.make/${name}.mjs`, ...words], { encoding: "utf8", env: { ...process.env, CI: "1", WRANGLER_SEND_METRICS: "false", PATH: `${resolve("node_modules/.bin")}:${process.env.PATH}` }, stdio: "pipe" });

async function erase(at, user) {
  const headers = { Authorization: `Bearer ${at.token({ sub: "api", role: "SERVICE" })}` };
  const { data } = await (await fetch(`${at.url}/users/${user}`, { method: "DELETE", headers })).json();
  for (let poll = 0; poll < 100; poll += 1) {
    if ((await (await fetch(`${at.url}/removals/${data.id}`, { headers })).json()).data.state === "done") return;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  assert.fail("the erasure does not end");
}

test("a deployment from an exported database and a copied bucket has all images and accounts and accepts uploads", async (t) => {
  const uploaded = [await upload(server, gif(1)), await upload(server, gif(2))];
  const signedUp = await post(server, "/users/signup", JSON.stringify(account), json);
  assert.equal(signedUp.status, 201);
  const before = await list(server);
  assert.equal(before.length, 2);
  const leaver = { Authorization: `Bearer ${server.token({ sub: "leaver" })}`, "Content-Type": "image/gif" };
  const gone = (await (await post(server, "/images", gif(9), leaver)).json()).data;

  make("backup", "--to", backup, "--state", server.state);
  assert.equal(statSync(backup).mode & 0o077, 0, "only its owner reads the backup");
  const copy = await startS3({ bucket: "restored" });
  t.after(copy.stop);
  for (const [key, bytes] of s3.objects()) copy.plant(key, bytes);
  // A user is erased after the backup.
  await erase(server, "leaver");
  make("erased", "--save", erasedFile, "--state", server.state);
  const { secret, signing } = server;
  // With the list as it was, so that the restore has whom it must erase.
  const restore = (state) => make("restore", "--from", backup, "--state", state);
  const restored = await startServer({ vars: { ...copy.vars(), PUBLIC_BASE_URL: server.url }, secret, signing, restore });
  t.after(restored.stop);

  assert.deepEqual(await list(restored), before);
  for (const { data } of uploaded) {
    const [copied, original] = await Promise.all([restored, server].map(async ({ url }) => Buffer.from(await (await fetch(`${url}/${data.key}`)).arrayBuffer())));
    assert.ok(copied.length > 0 && copied.equals(original), data.key);
  }
  assert.equal((await post(restored, "/auth/login", JSON.stringify(account), json)).status, 200, "the account is restored");
  const { data } = await upload(restored, gif(3));
  assert.ok(data.imageId > Math.max(...uploaded.map(({ data: { imageId } }) => imageId)), "new ids are larger than the restored ones");
  assert.ok(restored.rows().some(({ key }) => key === gone.key), "the restore has brought the erased user back");
  assert.throws(() => restore(restored.state), /The database has tables already/);
  make("erased", "--load", erasedFile, "--state", restored.state);
  for (let times = 0; times < 3; times += 1) assert.ok((await restored.runCron()).ok);
  assert.ok(!restored.rows().some(({ key }) => key === gone.key) && !copy.objects().has(gone.key), "and the list erases them again");
  assert.equal(restored.rows("erased").length, 1);
  assert.deepEqual(restored.rows("events").filter(({ kind }) => kind === "sweep"), [], "the sweep finds no difference");

  assert.throws(() => make("backup", "--to", backup, "--state", server.state), /exists already/);
  appendFileSync(join(backup, "database.sql"), "DROP TABLE images;\n");
  assert.throws(() => restore(mkdtempSync(join(tmpdir(), "the-form-restore-"))), /is damaged/);
});
